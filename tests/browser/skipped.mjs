// Where the engine skips every third frame, and scenes come now before, now after their pictures: what is drawn has
// its own boxes, and the skipped pictures are not drawn.

import assert from "node:assert/strict";
import { boxesDrawn, run, url } from "./harness.mjs";
import { watch, wrong } from "./numbers.mjs";

await run(async (page) => {
  await page.goto(url);
  await boxesDrawn(page, "front");
  const seen = await page.evaluate(watch, { camera: "front", frames: 60 });
  assert.deepEqual(wrong(seen), []);
  assert.deepEqual(seen.filter(({ number }) => number % 3 === 0), []);
});
