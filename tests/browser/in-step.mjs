// Each picture is drawn with the boxes of its own frame: the picture carries its number as bits, the box's place
// follows from the number, and both are read from what was drawn.

import assert from "node:assert/strict";
import { boxesDrawn, run, shot, url } from "./harness.mjs";

const FRAMES = 200;

await run(async (page) => {
  await page.goto(url);
  await boxesDrawn(page, "front");
  const seen = await page.evaluate(watch, FRAMES);
  const wrong = seen.filter(({ want, found }) => Math.abs(want - found) > 0.006);
  console.log(`${seen.length - wrong.length} of ${seen.length} pictures agree with their boxes`);
  await shot(page, "in-step");
  assert.deepEqual(wrong, []);
  const skipped = seen.filter(({ number }) => number % 3 === 0);
  assert.deepEqual(skipped, [], "pictures that the engine skipped were drawn");
});

/** In the page: reads number and box from the canvas, frame after frame. */
function watch(frames) {
  const canvas = document.querySelector('[data-camera="front"] canvas');
  const seen = [];
  let last = -1;
  return new Promise((resolve) => {
    const look = () => {
      const context = canvas.getContext("2d");
      const { width, height } = canvas;
      const grey = (x, y) => context.getImageData(Math.round(x * width), Math.round(y * height), 1, 1).data[1];
      let number = 0;
      for (let bit = 0; bit < 16; bit++) number |= (grey((bit + 0.5) / 16, 0.97) > 128 ? 1 : 0) << bit;
      if (number !== last) {
        last = number;
        const row = context.getImageData(0, Math.round(0.5 * height), width, 1).data;
        let found = -1;
        for (let x = 0; x < width && found < 0; x++) {
          const rgb = [row[4 * x], row[4 * x + 1], row[4 * x + 2]];
          if (Math.max(...rgb) - Math.min(...rgb) > 70) found = x / width;
        }
        seen.push({ number, want: 0.05 + 0.6 * ((number % 100) / 100), found });
      }
      if (seen.length < frames) requestAnimationFrame(look);
      else resolve(seen);
    };
    look();
  });
}
