// Where a camera's live pictures come from: H.264 where the camera offers it and the browser plays it, else JPEG.

import { H264Stream, obstacle } from "./h264.js";
import { JpegStream } from "./jpeg.js";
import { Meter } from "./meter.js";

/** @import { LinkState, Video } from "./types.js" */

/**
 * @typedef {{seq: number, capturedAtMs: number, open: () => Promise<ImageBitmap|null>, close: () => void}} Picture
 *   `open` gives the picture to whoever shows it, who then closes the bitmap; `close` frees one that is not shown
 * @typedef {{picture: (picture: Picture) => void, received: (bytes: number) => void,
 *   state: (state: LinkState) => void, failed: (reason: string) => void}} StreamEvents
 * @typedef {{close: () => void}} Stream
 * @typedef {"H.264"|"JPEG"} Kind
 * @typedef {"automatic"|"h264"|"jpeg"} VideoRequest "h264": nothing else, even if it fails
 */

const STREAMS = { "H.264": H264Stream, JPEG: JpegStream };

export class Player {
  /**
   * @param {string} camera its name
   * @param {{picture: (picture: Picture) => void, state: (state: LinkState) => void}} to who is told
   */
  constructor(camera, to) {
    this.path = `cameras/${encodeURIComponent(camera)}`;
    this.to = to;
    /** @type {VideoRequest} */
    this.request = "automatic";
    /** @type {Stream|null} */
    this.stream = null;
    /** What is played; null while nothing is. @type {Kind|null} */
    this.kind = null;
    /** Why it is not H.264, if that was to be tried. @type {string|null} */
    this.failure = null;
    /** Bits received. */
    this.bits = new Meter();
  }

  /**
   * Starts to play, or starts again.
   * @param {Video|undefined} offer `video` of the camera, as GET /cameras gives it
   * @param {VideoRequest} request
   */
  start(offer, request) {
    this.request = request;
    this.failure = null;
    if (request === "jpeg") return this.play("JPEG");
    const reason = offer?.codec === "h264" ? obstacle() : (offer?.reason ?? "the camera offers none");
    if (reason) this.failed(reason);
    else this.play("H.264");
  }

  /** @param {Kind} kind */
  play(kind) {
    this.stop();
    this.kind = kind;
    this.bits = new Meter();
    this.stream = new STREAMS[kind](this.path, {
      picture: this.to.picture,
      state: this.to.state,
      received: (bytes) => this.bits.add(bytes * 8),
      failed: (reason) => this.failed(reason),
    });
  }

  /**
   * There is no H.264. It is not tried again before the next `start`, so that the picture does not switch back and forth.
   * @param {string} reason
   */
  failed(reason) {
    this.stop();
    this.failure = reason;
    if (this.request === "automatic") this.play("JPEG");
  }

  stop() {
    this.stream?.close();
    this.stream = null;
    this.kind = null;
  }
}
