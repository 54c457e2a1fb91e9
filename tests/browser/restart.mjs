// The daemon is restarted under an open page: the page says so, and continues automatically.

import assert from "node:assert/strict";
import { accessible, ask, boxesDrawn, plays, run, shot, url } from "./harness.mjs";
import { watch, wrong } from "./numbers.mjs";

await run(
  async (page) => {
    await page.goto(url);
    await boxesDrawn(page, "front");
    await plays(page, "front", "H.264");
    await ask("stop the daemon");
    await page.waitForSelector("#link[data-state=lost]");
    await page.waitForFunction(() => /Connection lost/.test(document.querySelector(".overlay").textContent));
    await shot(page, "daemon-gone");
    await accessible(page);
    await ask("start the daemon");
    await page.waitForSelector("#link[data-state=live]");
    await page.waitForSelector(".overlay", { state: "hidden" });
    await boxesDrawn(page, "front");
    await plays(page, "front", "H.264");
    await shot(page, "daemon-back");
    const seen = await page.evaluate(watch, { camera: "front", frames: 30 });
    assert.deepEqual(wrong(seen), [], "the pictures of the new process are drawn with boxes of the old one");
  },
  { expected: /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|WebSocket|Failed to load resource/ },
);
