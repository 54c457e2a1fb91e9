// The real program: every picture is drawn with the boxes that the network found in this very picture, be it a frame of
// H.264 or a JPEG.

import assert from "node:assert/strict";
import { boxesDrawn, plays, run, shot, url } from "./harness.mjs";
import { watch, wrong } from "./numbers.mjs";

const FRAMES = 200;

await run(async (page) => {
  await page.goto(url);
  for (const [choice, kind] of [["automatic", "H.264"], ["jpeg", "JPEG"], ["h264", "H.264"]]) {
    await page.selectOption("#video", choice);
    await plays(page, "front", kind);
    await boxesDrawn(page, "front");
    const seen = await page.evaluate(watch, { camera: "front", frames: FRAMES });
    const facts = await page.textContent('[data-camera="front"] .numbers');
    console.log(`${kind}: ${seen.length - wrong(seen).length} of ${seen.length} pictures agree with their boxes; ${facts}`);
    assert.deepEqual(wrong(seen), []);
    assert(seen.every(({ number }, index) => index === 0 || number > seen[index - 1].number), "the numbers do not grow");
    const [, latency] = facts.match(/(-?\d+) ms behind/);
    assert(latency > -50 && latency < 3000, `${latency} ms behind cannot be`); // wide: this machine does much else
  }
  await shot(page, "in-step");
});
