// What goes wrong is said, and mends by itself: engine build, camera lost and back.

import { ask, boxesDrawn, run, shot, url } from "./harness.mjs";

await run(async (page) => {
  await ask("build the engine");
  await page.goto(url);
  await page.waitForSelector("#notice-progress:not([hidden])");
  await page.waitForFunction(() => /no detections yet/.test(document.querySelector(".numbers")?.textContent));
  await page.waitForSelector(".veil", { state: "hidden" });
  await shot(page, "engine-build");
  await ask("engine ready");
  await boxesDrawn(page, "front");
  await page.waitForSelector("#notice", { state: "hidden" });

  await ask("lose the camera");
  await page.waitForFunction(() => /Camera lost/.test(document.querySelector(".veil").textContent));
  await shot(page, "camera-lost");
  await ask("camera back");
  await page.waitForSelector(".veil", { state: "hidden" });
});
