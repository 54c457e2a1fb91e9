// Behind a reverse proxy that serves the daemon below a path, as `location /sightd/` of nginx does: every request of
// the page, be it for a module, a picture, JSON or a WebSocket, stays below that path.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { boxesDrawn, plays, run, url } from "./harness.mjs";

const PREFIX = "/sightd/";
const outside = [];

/** The request to the daemon for `from`, a request below the prefix; null for others, which are recorded. */
function forward(from) {
  if (!from.url.startsWith(PREFIX)) {
    outside.push(from.url);
    return null;
  }
  const { hostname, port, host } = new URL(url);
  const headers = { ...from.headers, host };
  if (headers.origin) headers.origin = new URL(url).origin;
  const path = from.url.slice(PREFIX.length - 1);
  const to = request({ hostname, port, path, method: from.method, headers });
  to.on("error", () => from.socket.destroy());
  return to;
}

/** Header lines as they were received. */
const lines = (raw) => raw.reduce((text, part, index) => text + part + (index % 2 ? "\r\n" : ": "), "");

const proxy = createServer((from, answer) => {
  const to = forward(from);
  if (!to) return answer.writeHead(404).end();
  to.on("response", (response) => {
    answer.writeHead(response.statusCode, response.headers);
    response.pipe(answer);
  });
  from.pipe(to);
});
proxy.on("upgrade", (from, client) => {
  const to = forward(from);
  if (!to) return client.destroy();
  to.on("upgrade", (response, daemon, head) => {
    client.write(`HTTP/1.1 101 Switching Protocols\r\n${lines(response.rawHeaders)}\r\n`);
    client.write(head);
    for (const [one, other] of [[client, daemon], [daemon, client]]) {
      one.on("error", () => other.destroy());
      one.pipe(other);
    }
  });
  to.on("response", () => client.destroy());
  to.end();
});
await new Promise((listening) => proxy.listen(0, "127.0.0.1", listening));
const at = `http://127.0.0.1:${proxy.address().port}${PREFIX}`;

await run(
  async (page) => {
    const requested = [];
    page.on("request", (sent) => requested.push(sent.url()));
    page.on("websocket", (socket) => requested.push(socket.url()));
    await page.goto(at);
    await boxesDrawn(page, "front");
    await plays(page, "front", "H.264");
    await page.selectOption("#video", "jpeg");
    await plays(page, "front", "JPEG");
    await page.click("#log summary");
    await page.waitForSelector("#log-lines li");
    await page.click('#cameras [data-camera="front"] summary');
    await page.locator('#cameras [data-camera="front"] input[type=range]').first().fill("0.1");
    await page.waitForSelector('#cameras [data-camera="front"] [role=status]:has-text("Applied")');
    const downloading = page.waitForEvent("download");
    await page.click('.tile[data-camera="front"] .snapshot');
    const snapshot = await downloading;
    assert.equal(snapshot.url(), `${at}cameras/front/snapshot.jpg`);
    const buffer = readFileSync(await snapshot.path());
    await page.setInputFiles("#try-file", { name: "front.jpg", mimeType: "image/jpeg", buffer });
    await page.waitForFunction(() => /Found /.test(document.querySelector("#try-state").textContent));
    for (const link of await page.locator("footer a").all()) {
      const answer = await page.request.get(new URL(await link.getAttribute("href"), at).href);
      assert.equal(answer.status(), 200, answer.url());
    }
    assert.equal(await page.locator("#logout").evaluate((form) => form.action), `${at}logout`);

    await page.goto(`${at}login`);
    assert.equal(await page.locator("form").evaluate((form) => form.action), `${at}login`);
    assert.deepEqual(outside, []);
    for (const part of ["assets/main.js", "ws", "cameras/front/video", "cameras/front/live", "session", "detect"]) {
      assert(requested.some((sent) => new URL(sent).pathname === PREFIX + part), `${part} was not requested`);
    }
  },
  { origin: at },
);
