// First visit: the live picture moves, persons are boxed; then filters, layouts, colours, phone and accessibility.

import assert from "node:assert/strict";
import { accessible, boxesDrawn, moves, run, shot, url } from "./harness.mjs";

await run(async (page) => {
  await page.goto(url);
  await boxesDrawn(page, "front");
  await boxesDrawn(page, "yard");
  await page.waitForSelector("#link[data-state=live]");
  assert(await moves(page, "front"), "the live picture does not move");
  await page.click("#log summary");
  await page.waitForSelector("#log-lines li");
  await page.waitForSelector("#machine .gauge");
  await page.waitForTimeout(6000); // something to see in the charts
  await shot(page, "first-visit", { fullPage: true });
  await accessible(page);

  await page.click('[data-camera="yard"] .enlarge');
  await page.waitForSelector('[data-camera="yard"][data-large]');
  await shot(page, "one-large");
  await page.click('#layout [data-layout="wall"]');
  await page.waitForSelector(".side", { state: "hidden" });
  await shot(page, "pictures-only");
  await page.click('#layout [data-layout="grid"]');

  await page.click('#labels [data-label="dog"]');
  await page.waitForFunction(() => {
    const label = document.querySelector('[data-camera="front"] canvas').getAttribute("aria-label");
    return /person/.test(label) && !/dog/.test(label);
  });
  await page.locator("#score").fill("0.95");
  await page.waitForFunction(() => /nothing/.test(document.querySelector('[data-camera="front"] canvas').getAttribute("aria-label")));
  await shot(page, "filtered");
  await page.locator("#score").fill("0");
  await page.click('#labels [data-label="dog"]');

  await page.click("#theme");
  assert.equal(await page.getAttribute("html", "data-theme"), "dark");
  await page.waitForTimeout(1200); // the charts are redrawn each second
  await shot(page, "dark");
  await accessible(page);

  await page.setViewportSize({ width: 390, height: 844 });
  await page.waitForTimeout(1200);
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  assert(width <= 390, `the page is ${width} px wide on a phone`);
  await shot(page, "phone", { fullPage: true });

  await page.setViewportSize({ width: 2560, height: 1440 });
  await page.waitForTimeout(1200);
  await shot(page, "wall");
});
