// Live video as H.264, by Media Source Extensions: these work on plain HTTP, where WebCodecs' decoders do not.
//
// A video element that is in no document decodes; each of its frames becomes a picture with the daemon's
// number of the frame.

import { openSocket } from "./api.js";
import { wordsOf } from "./dom.js";

/** @import { Stream, StreamEvents } from "./player.js" */
/** @typedef {{seq: number, capturedAtMs: number}} FrameStamp */

const HEADER_BYTES = 24;
/** Constrained baseline, level 3.0: what any browser with H.264 plays. */
const PLAIN_H264 = 'video/mp4; codecs="avc1.42E01E"';
/** Frames are found by their time on the media timeline, which browsers round. */
const ROUNDING_US = 1000;
/** How long a frame should wait until it is due, so that a late one does not stop the video. */
const WAIT_S = 0.08;
const NEAR_ENOUGH_S = 0.03;
/** A frame that would have to wait longer than this makes the video jump. */
const MAX_WAIT_S = 0.5;
/** How much slower and faster the video runs to come back to `WAIT_S`. */
const [MIN_SPEED, MAX_SPEED] = [0.9, 1.25];
/** The speed is chosen from the waits of this many latest frames. */
const ARRIVALS = 15;
/** Older video is removed from the browser's buffer. */
const KEPT_S = 5;
/** Fragments without a frame for this long mean that this browser cannot decode them. */
const DECODE_TIMEOUT_MS = 4000;

/**
 * Safari on iPhones has a ManagedMediaSource only.
 * @typedef {{ManagedMediaSource?: typeof MediaSource, MediaSource?: typeof MediaSource}} Sources
 */
const sources = /** @type {Sources} */ (globalThis);
const Source = sources.ManagedMediaSource ?? sources.MediaSource;

/** Why this browser cannot play H.264; null if it can. */
export function obstacle() {
  if (!Source) return "this browser has no Media Source Extensions";
  if (!HTMLVideoElement.prototype.requestVideoFrameCallback || !globalThis.VideoFrame) {
    return "this browser does not give a video's frames to a page";
  }
  return Source.isTypeSupported(PLAIN_H264) ? null : "this browser has no H.264 decoder";
}

/** A stream of H.264; it ends at the first error. @implements {Stream} */
export class H264Stream {
  /** @param {string} camera its path @param {StreamEvents} to */
  constructor(camera, to) {
    this.to = to;
    /** By time on the media timeline in microseconds. @type {Map<number, FrameStamp>} */
    this.stamps = new Map();
    /** What the buffer has not taken yet. @type {Uint8Array<ArrayBuffer>[]} */
    this.queue = [];
    /** Of the latest frames, in seconds. @type {number[]} */
    this.waits = [];
    /** @type {SourceBuffer|null} */
    this.buffer = null;
    /** @type {number|null} */
    this.undecodedSince = null;
    this.video = document.createElement("video");
    Object.assign(this.video, { muted: true, playsInline: true, disableRemotePlayback: true });
    this.video.onerror = () => this.fail(this.video.error?.message || "the video cannot be decoded");
    /** @type {WebSocket|null} */
    this.socket = openSocket(`${camera}/video`, {
      message: (data) => (typeof data === "string" ? this.begin(JSON.parse(data)) : this.receive(data)),
      closed: (reason) => this.fail(reason || "the daemon refused or closed the stream"),
    });
    this.takeFrames();
  }

  close() {
    this.socket?.close();
    this.discard();
    this.socket = null;
  }

  /** @param {string} reason */
  fail(reason) {
    if (!this.socket) return; // closed by us
    this.close();
    this.to.failed(reason);
  }

  /** A new timeline: its first fragment comes next. @param {import("./types.js").VideoStart} start */
  begin({ mime }) {
    this.discard();
    if (!Source?.isTypeSupported(mime)) return this.fail(`this browser does not play ${mime}`);
    const source = new Source();
    const address = URL.createObjectURL(source);
    source.onsourceopen = () => {
      URL.revokeObjectURL(address);
      if (this.video.src !== address) return; // closed, or a newer one has begun
      const buffer = source.addSourceBuffer(mime);
      buffer.onupdateend = () => this.append();
      this.buffer = buffer;
      this.append();
    };
    this.video.src = address;
    this.video.play().catch((error) => {
      if (error.name !== "AbortError") this.fail(error.message); // "Abort": we gave it another source
    });
    this.to.state("live");
  }

  /** Lets the browser free the timeline's memory. */
  discard() {
    if (this.buffer) this.buffer.onupdateend = null;
    this.buffer = null;
    this.undecodedSince = null;
    this.stamps.clear();
    this.queue.length = this.waits.length = 0;
    if (!this.video.src) return;
    this.video.removeAttribute("src");
    this.video.load();
  }

  /** @param {ArrayBuffer} data a header and a fragment */
  receive(data) {
    if (data.byteLength <= HEADER_BYTES || !this.video.src) return;
    this.to.received(data.byteLength);
    const header = new DataView(data);
    const at = Number(header.getBigUint64(16));
    this.stamps.set(at, { seq: Number(header.getBigUint64(0)), capturedAtMs: Number(header.getBigInt64(8)) / 1000 });
    this.queue.push(new Uint8Array(data, HEADER_BYTES));
    this.steer(at / 1e6);
    this.append();
    this.undecodedSince ??= performance.now();
    if (performance.now() - this.undecodedSince > DECODE_TIMEOUT_MS) this.fail("this browser decodes no frame of the video");
  }

  /** Gives the received fragments to the browser, or removes old video from its buffer. */
  append() {
    const { buffer, video } = this;
    if (!buffer || buffer.updating) return;
    try {
      const from = buffer.buffered.length ? buffer.buffered.start(0) : Infinity;
      if (this.queue.length) buffer.appendBuffer(joined(this.queue.splice(0)));
      else if (from < video.currentTime - 2 * KEPT_S) buffer.remove(from, video.currentTime - KEPT_S);
    } catch (error) {
      this.fail(wordsOf(error));
    }
  }

  /**
   * Keeps the video just behind the frame that has come.
   * @param {number} at when it is due, in seconds on the media timeline
   */
  steer(at) {
    const { video, waits } = this;
    const wait = at - video.currentTime;
    if (wait > MAX_WAIT_S) {
      video.currentTime = at - WAIT_S;
      waits.length = 0;
      return;
    }
    waits.push(wait);
    if (waits.length > ARRIVALS) waits.shift();
    const excess = Math.min(...waits) - WAIT_S;
    const speed = Math.abs(excess) < NEAR_ENOUGH_S ? 1 : Math.min(Math.max(1 + excess, MIN_SPEED), MAX_SPEED);
    if (video.playbackRate !== speed) video.playbackRate = speed;
  }

  /** Makes a picture of every frame that the video element shows. */
  takeFrames() {
    this.video.requestVideoFrameCallback(async () => {
      if (!this.socket) return;
      this.takeFrames();
      this.undecodedSince = null;
      // The element may have gone on since: only the frame itself knows its time for certain.
      const frame = new VideoFrame(this.video);
      const stamp = this.stampOf(frame.timestamp);
      const bitmap = stamp && (await createImageBitmap(frame).catch(() => null));
      frame.close();
      if (!bitmap) return;
      if (!this.socket) return bitmap.close();
      this.to.picture({ ...stamp, open: async () => bitmap, close: () => bitmap.close() });
    });
  }

  /** Number and capture time of the frame at `timestamp`; what is older is forgotten. @param {number} timestamp */
  stampOf(timestamp) {
    for (const [at, stamp] of this.stamps) {
      if (at > timestamp + ROUNDING_US) return null;
      this.stamps.delete(at);
      if (at >= timestamp - ROUNDING_US) return stamp;
    }
    return null;
  }
}

/** @param {Uint8Array<ArrayBuffer>[]} parts */
function joined(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
  return whole;
}
