// The real program: every picture is drawn with the boxes that the network found in this very picture.

import assert from "node:assert/strict";
import { boxesDrawn, run, shot, url } from "./harness.mjs";
import { watch, wrong } from "./numbers.mjs";

const FRAMES = 200;

await run(async (page) => {
  await page.goto(url);
  await boxesDrawn(page, "front");
  const seen = await page.evaluate(watch, { camera: "front", frames: FRAMES });
  console.log(`${seen.length - wrong(seen).length} of ${seen.length} pictures agree with their boxes`);
  await shot(page, "in-step");
  assert.deepEqual(wrong(seen), []);
  assert(seen.every(({ number }, index) => index === 0 || number > seen[index - 1].number), "the numbers do not grow");
});
