// Requests to the daemon: JSON over HTTP, and WebSockets that reconnect automatically.

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 5000;

/** @import { Answers, LinkState } from "./types.js" */

/** @typedef {string|ArrayBuffer} Data of one message */

/**
 * GETs `path`: its JSON, or an Error with the daemon's message.
 * @template {keyof Answers} P
 * @param {P} path
 * @param {string} [query] for example `?since=7`
 * @returns {Promise<Answers[P]>}
 */
export async function getJson(path, query = "") {
  const response = await fetch(path + query, { headers: { accept: "application/json" } });
  if (response.status === 401) location.assign("login");
  if (!response.ok) throw new Error(await problemOf(response));
  return response.json();
}

/** Why the daemon refused: its message. @param {Response} response @returns {Promise<string>} */
export async function problemOf(response) {
  const { detail } = await response.json().catch(() => ({}));
  return detail ?? `The daemon answered with status ${response.status}.`;
}

/**
 * A WebSocket to `path`.
 * @param {string} path
 * @param {{message: (data: Data) => void, open?: () => void, closed: (reason: string) => void}} to who is told
 */
export function openSocket(path, to) {
  const url = new URL(path, document.baseURI);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(url);
  socket.binaryType = "arraybuffer";
  socket.onopen = () => to.open?.();
  socket.onmessage = (event) => to.message(event.data);
  socket.onclose = ({ reason }) => to.closed(reason);
  return socket;
}

/** A WebSocket that reconnects until it is closed. */
export class Link {
  /**
   * @param {string} path where to connect
   * @param {{message: (data: Data) => void, state: (state: LinkState) => void}} to who is told
   */
  constructor(path, to) {
    this.path = path;
    this.to = to;
    /** @type {WebSocket|null} */
    this.socket = null;
    /** @type {number|undefined} */
    this.timer = undefined;
    this.retryMs = FIRST_RETRY_MS;
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    const socket = openSocket(this.path, {
      open: () => {
        this.retryMs = FIRST_RETRY_MS;
        this.to.state("live");
      },
      message: this.to.message,
      closed: () => {
        if (this.socket !== socket) return; // closed by us
        this.to.state("lost");
        this.timer = setTimeout(() => this.open(), this.retryMs * (0.75 + Math.random() / 2));
        this.retryMs = Math.min(this.retryMs * 1.7, MAX_RETRY_MS);
      },
    });
    this.socket = socket;
  }

  close() {
    clearTimeout(this.timer);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }
}

/** The latest measurements of the daemon's clock. @type {{roundTripMs: number, aheadMs: number}[]} */
const clocks = [];
const KEPT_CLOCKS = 12;

/**
 * How far the daemon's clock is ahead of this browser's, in milliseconds: measured by the shortest of the latest round
 * trips; the error is at most half of that.
 */
export async function clockOffset() {
  const before = Date.now();
  const health = await getJson("healthz");
  const after = Date.now();
  clocks.push({ roundTripMs: after - before, aheadMs: Date.parse(health.now) - (before + after) / 2 });
  if (clocks.length > KEPT_CLOCKS) clocks.shift();
  return clocks.reduce((best, clock) => (clock.roundTripMs < best.roundTripMs ? clock : best)).aheadMs;
}
