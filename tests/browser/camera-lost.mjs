// A network camera goes and comes back: its tile says so, and continues automatically.

import assert from "node:assert/strict";
import { accessible, ask, boxesDrawn, plays, run, shot, url } from "./harness.mjs";
import { watch, wrong } from "./numbers.mjs";

await run(async (page) => {
  await page.goto(url);
  await boxesDrawn(page, "gate");
  await plays(page, "gate", "H.264");
  await ask("lose the camera");
  await page.waitForFunction(() => /Camera lost/.test(document.querySelector(".overlay").textContent));
  await page.waitForSelector("#cameras .fault");
  await shot(page, "camera-lost");
  await accessible(page);
  await ask("camera back");
  await page.waitForSelector(".overlay", { state: "hidden" });
  await boxesDrawn(page, "gate");
  await plays(page, "gate", "H.264");
  const seen = await page.evaluate(watch, { camera: "gate", frames: 30 });
  assert.deepEqual(wrong(seen), []);
});
