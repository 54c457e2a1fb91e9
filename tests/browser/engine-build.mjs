// While an engine is built, the page says so, and shows the pictures without boxes.

import { accessible, ask, boxesDrawn, run, shot, url } from "./harness.mjs";

await run(async (page) => {
  await ask("build the engine");
  await page.goto(url);
  await page.waitForSelector("#notice-progress:not([hidden])");
  await page.waitForFunction(() => /no detections yet/.test(document.querySelector(".numbers")?.textContent));
  await page.waitForSelector(".overlay", { state: "hidden" });
  await shot(page, "engine-build");
  await accessible(page);
  await ask("engine ready");
  await boxesDrawn(page, "front");
  await page.waitForSelector("#notice", { state: "hidden" });
});
