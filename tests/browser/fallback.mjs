// Whatever keeps H.264 from being played, the page shows the JPEG pictures, live and in step.

import assert from "node:assert/strict";
import { accessible, boxesDrawn, plays, run, shot, url } from "./harness.mjs";
import { watch, wrong } from "./numbers.mjs";

/** What goes wrong, how, and what the page says of it. */
const FAULTS = [
  ["no Media Source Extensions", (page) => page.addInitScript(() => delete globalThis.MediaSource), /no Media Source/],
  ["no decoder", (page) => page.addInitScript(() => (MediaSource.isTypeSupported = () => false)), /no H\.264 decoder/],
  ["no frames", (page) => page.addInitScript(() => delete HTMLVideoElement.prototype.requestVideoFrameCallback), /does not give/],
  ["the encoder fails", (page) => alter(page, 20, (_, socket) => socket.close({ code: 1011, reason: "the encoder stopped" })), /the encoder stopped/],
  ["garbage", (page) => alter(page, 20, (data) => Buffer.concat([data.subarray(0, 24), Buffer.alloc(4000, 1)])), /decodes no frame/],
  ["a frame that is none", (page) => alter(page, 20, (data) => data.fill(0xff, data.length - 200)), /decode/],
];

/** From the `from`-th binary message of the video on, `change` makes of it what the page gets. */
async function alter(page, from, change) {
  await page.routeWebSocket(/\/video$/, (socket) => {
    const daemon = socket.connectToServer();
    let count = 0;
    daemon.onMessage((data) => {
      if (typeof data === "string" || ++count < from) return socket.send(data);
      const changed = change(Buffer.from(data), socket);
      if (changed) socket.send(changed);
    });
  });
}

await run(async (page, context) => {
  for (const [name, inject, says] of FAULTS) {
    const broken = await context.newPage();
    await inject(broken);
    await broken.goto(url);
    await plays(broken, "front", "JPEG");
    await boxesDrawn(broken, "front");
    const reason = await broken.getAttribute('[data-camera="front"] .numbers', "title");
    console.log(`${name}: ${reason}`);
    assert.match(reason, says);
    const seen = await broken.evaluate(watch, { camera: "front", frames: 20 });
    assert.deepEqual(wrong(seen), []);
    await broken.close();
  }

  // A camera without H.264, and a person who chose only H.264.
  await page.goto(url);
  await plays(page, "front", "H.264");
  await plays(page, "yard", "JPEG");
  await page.selectOption("#video", "h264");
  await page.waitForFunction(() => /No H\.264 video/.test(document.querySelector('.tile[data-camera="yard"] .overlay').textContent));
  await plays(page, "front", "H.264");
  await shot(page, "no-h264");
  await accessible(page);
  await page.selectOption("#video", "automatic");
  await plays(page, "yard", "JPEG");
});
