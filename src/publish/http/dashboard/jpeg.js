// Live pictures as JPEG files over a WebSocket: what every browser can show.

import { Link } from "./api.js";

const HEADER_BYTES = 16;

/** A stream of JPEG pictures, which reconnects until it is closed. @implements {Stream} see player.js */
export class JpegStream {
  /** @param {string} camera its path @param {StreamEvents} to see player.js */
  constructor(camera, to) {
    this.link = new Link(`${camera}/live`, { state: to.state, message: (data) => receive(data, to) });
  }

  close() {
    this.link.close();
  }
}

function receive(data, to) {
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
