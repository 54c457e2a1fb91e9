// H.264 for a while: the page's memory stays flat, and a tab that is hidden stops and comes back.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { boxesDrawn, plays, run, url } from "./harness.mjs";
import { watch, wrong } from "./numbers.mjs";

/** Until then, Chromium's pools of frames fill. */
const WARM_UP_SECONDS = 20;
const SECONDS = 30;
/** Bitmaps that nobody frees are some 20 MB a second. */
const MAX_GROWTH_MB = 150;
/** Those of Chromium's processes that hold pictures. */
const HOLDERS = ["renderer", "GPU"];

await run(async (page, context) => {
  await page.goto(url);
  await plays(page, "front", "H.264");
  await boxesDrawn(page, "front");
  await page.waitForTimeout(WARM_UP_SECONDS * 1000);
  const before = await memory(context);
  await page.waitForTimeout(SECONDS * 1000);
  const after = await memory(context);
  for (const [id, megabytes] of before) {
    const later = after.get(id) ?? 0; // one that has ended holds nothing
    console.log(`process ${id}: ${megabytes} MB, ${SECONDS} s later ${later} MB`);
    assert(later - megabytes < MAX_GROWTH_MB, "the page's memory grows");
  }

  await page.evaluate(turn, "hidden");
  await page.waitForFunction(async () => (await (await fetch("cameras")).json()).cameras.every(({ video }) => video.viewers === 0));
  await page.evaluate(turn, "visible");
  await plays(page, "front", "H.264");
  await boxesDrawn(page, "front");
  const seen = await page.evaluate(watch, { camera: "front", frames: 30 });
  assert.deepEqual(wrong(seen), []);
});

/** In the page: as if its tab were hidden, or shown. */
function turn(state) {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => state === "hidden" });
  document.dispatchEvent(new Event("visibilitychange"));
}

/** Resident memory of each of the browser's processes that hold pictures, in MB. */
async function memory(context) {
  const session = await context.browser().newBrowserCDPSession();
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  await session.detach();
  const resident = (id) => Math.round(Number(readFileSync(`/proc/${id}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) / 1024);
  return new Map(processInfo.filter(({ type }) => HOLDERS.includes(type)).map(({ id }) => [id, resident(id)]));
}
