// Live pictures as JPEG files over a WebSocket: what every browser can show.

import { Link } from "./api.js";

/** @import { Stream, StreamEvents } from "./player.js" */

const HEADER_BYTES = 16;

/** A stream of JPEG pictures, which reconnects until it is closed. @implements {Stream} */
export class JpegStream {
  /** @param {string} camera its path @param {StreamEvents} to */
  constructor(camera, to) {
    this.link = new Link(`${camera}/live`, { state: to.state, message: (data) => receive(data, to) });
  }

  close() {
    this.link.close();
  }
}

/** @param {import("./api.js").Data} data @param {StreamEvents} to */
function receive(data, to) {
  if (typeof data === "string") return;
  to.received(data.byteLength);
  if (data.byteLength <= HEADER_BYTES) return;
  const header = new DataView(data);
  const jpeg = new Blob([data.slice(HEADER_BYTES)], { type: "image/jpeg" });
  to.picture({
    seq: Number(header.getBigUint64(0)),
    capturedAtMs: Number(header.getBigInt64(8)) / 1000,
    open: () => createImageBitmap(jpeg).catch(() => null),
    close() {},
  });
}
