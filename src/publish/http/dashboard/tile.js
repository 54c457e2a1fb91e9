// One camera's live picture with its boxes.

import { byId, contextOf, find, setText } from "./dom.js";
import { drawOver, inWords } from "./draw.js";
import { Matcher } from "./match.js";
import { Meter } from "./meter.js";
import { Player } from "./player.js";

/** @import { Picture, VideoRequest } from "./player.js" */
/** @import { Camera, CameraState, Detection, LinkState, Scene } from "./types.js" */

/**
 * What tiles know of the page.
 * @typedef {object} Page
 * @property {(detection: Detection) => boolean} wanted
 * @property {(tile: Tile) => void} chosen
 * @property {number} aheadMs how far the daemon's clock is ahead of this browser's, in milliseconds
 * @property {VideoRequest} video the kind of video that the person chose
 */

/** Without a new picture for this long, the picture is old. */
const STALE_MS = 3000;

export class Tile {
  /**
   * @param {string} name the camera's
   * @param {Page} page
   */
  constructor(name, page) {
    this.name = name;
    this.page = page;
    /** As GET /cameras gives it. @type {Camera|null} */
    this.status = null;
    /** Of the drawn picture. @type {Scene|null} */
    this.scene = null;
    /** The latest one, drawn or not. @type {Scene|null} */
    this.lastScene = null;
    /** How old pictures are when they are drawn: a moving mean. @type {number|null} */
    this.latencyMs = null;
    this.drawnAt = performance.now();
    /** @type {ImageBitmap|null} */
    this.bitmap = null;
    /** @type {LinkState} */
    this.linkState = "connecting";
    this.playing = false;
    this.description = "";
    this.scenes = new Meter();
    this.turns = 0;
    this.paintedTurn = 0;
    this.matcher = new Matcher((picture, scene) => this.show(picture, scene));
    this.player = new Player(name, {
      picture: (picture) => this.matcher.picture(picture),
      state: (state) => {
        this.linkState = state;
        if (state === "live") this.matcher.reset();
      },
    });
    const content = byId("tile", HTMLTemplateElement).content.cloneNode(true);
    this.element = find(/** @type {DocumentFragment} */ (content), ".tile");
    this.canvas = find(this.element, "canvas", HTMLCanvasElement);
    this.overlay = find(this.element, ".overlay");
    this.numbers = find(this.element, ".numbers");
    this.button = find(this.element, ".enlarge", HTMLButtonElement);
    this.build();
    this.resizer = new ResizeObserver(() => this.paint());
    this.resizer.observe(this.canvas);
  }

  build() {
    this.element.dataset.camera = this.name;
    find(this.element, "h2").textContent = this.name;
    this.button.addEventListener("click", () => this.page.chosen(this));
    this.canvas.addEventListener("click", () => this.page.chosen(this));
    const link = find(this.element, ".snapshot", HTMLAnchorElement);
    link.href = `cameras/${encodeURIComponent(this.name)}/snapshot.jpg`;
    link.download = `${this.name}.jpg`;
    link.title = "Download a snapshot";
    link.setAttribute("aria-label", `Download a snapshot of ${this.name}`);
    this.setLarge(false);
    this.describe("no picture yet");
  }

  /** Says what the button does. @param {boolean} large whether the picture is the large one */
  setLarge(large) {
    this.element.toggleAttribute("data-large", large);
    this.button.title = large ? "Back to the grid" : "Enlarge";
    this.button.setAttribute("aria-label", large ? "Back to the grid" : `Enlarge ${this.name}`);
  }

  /** Takes over the camera's state. @param {Camera} status as GET /cameras gives it */
  update(status) {
    const before = this.status;
    this.status = status;
    const back = status.state === "running" && before?.state !== "running";
    // H.264 that failed is tried again when the camera is back.
    if ((back && this.player.failure) || status.video?.codec !== before?.video?.codec) this.restart();
  }

  /** Starts playing. */
  start() {
    this.playing = true;
    this.restart();
  }

  /** Starts playing again, with the current choice and offer. */
  restart() {
    if (!this.playing) return;
    this.latencyMs = null;
    this.player.start(this.status?.video, this.page.video);
  }

  /** Stops playing, so that the daemon need not encode pictures. */
  stop() {
    this.playing = false;
    this.player.stop();
    this.matcher.reset();
  }

  remove() {
    this.stop();
    this.resizer.disconnect();
    this.element.remove();
  }

  /** A scene of this camera. @param {Scene} scene */
  addScene(scene) {
    this.scenes.add(1);
    this.lastScene = scene;
    this.matcher.scene(scene);
  }

  /** Scenes per second over the last seconds. */
  fps() {
    return this.scenes.perSecond();
  }

  /** @param {Picture} picture @param {Scene|null} scene */
  async show(picture, scene) {
    const turn = ++this.turns;
    const bitmap = await picture.open();
    if (!bitmap || turn < this.paintedTurn) return bitmap?.close(); // a later one was decoded sooner
    this.paintedTurn = turn;
    this.bitmap?.close();
    this.bitmap = bitmap;
    this.scene = scene;
    this.drawnAt = performance.now();
    const behind = Date.now() + this.page.aheadMs - picture.capturedAtMs;
    this.latencyMs = this.latencyMs === null ? behind : this.latencyMs * 0.9 + behind * 0.1;
    this.paint();
  }

  /** Draws the held picture and the boxes of its own scene. */
  paint() {
    if (!this.bitmap) return;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const { clientWidth, clientHeight } = this.canvas;
    const scale = Math.min(clientWidth / this.bitmap.width, clientHeight / this.bitmap.height) * ratio;
    const width = Math.max(1, Math.round(this.bitmap.width * scale));
    const height = Math.max(1, Math.round(this.bitmap.height * scale));
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    const context = contextOf(this.canvas);
    context.drawImage(this.bitmap, 0, 0, width, height);
    const wanted = this.scene ? this.scene.detections.filter((d) => this.page.wanted(d)) : [];
    drawOver(context, wanted, ratio);
    this.describe(inWords(wanted) || "nothing in view");
  }

  /** Describes the picture for screen readers. @param {string} text */
  describe(text) {
    if (this.description === text) return;
    this.description = text;
    this.canvas.setAttribute("aria-label", `${this.name}: ${text}`);
  }

  /** Brings status-indicator, overlay and numbers up to date. */
  refresh() {
    const age = performance.now() - this.drawnAt;
    const stale = age > STALE_MS;
    const [title, detail] = this.trouble(this.status?.state ?? "starting", stale, age);
    this.overlay.hidden = !title;
    setText(find(this.overlay, "strong"), title ?? "");
    setText(find(this.overlay, "span"), detail ?? "");
    if (title) this.describe(title);
    const plain = !this.scene;
    const off = this.status?.state === "disabled";
    this.element.dataset.state = off ? "off" : title ? "stale" : plain ? "plain" : "live";
    setText(this.numbers, title ? "No live picture" : plain ? "Live, no detections yet" : this.facts());
    this.numbers.title = this.player.failure ? `Not H.264: ${this.player.failure}` : "";
  }

  facts() {
    const { kind, bits } = this.player;
    const size = this.status?.size;
    return [
      `${this.fps().toFixed(1)}/s`,
      this.latencyMs !== null && `${Math.round(this.latencyMs)} ms behind`,
      kind && `${kind} ${(bits.perSecond() / 1e6).toFixed(1)} Mbit/s`,
      size && `${size.width}×${size.height}`,
    ]
      .filter(Boolean)
      .join(" · ");
  }

  /**
   * What is wrong: a title and a detail; nothing if all is well.
   * @param {CameraState} state
   * @param {boolean} stale
   * @param {number} age of the picture, in milliseconds
   * @returns {string[]}
   */
  trouble(state, stale, age) {
    const reason = this.status?.last_error ?? "";
    if (this.linkState === "lost") return ["Connection lost", "Reconnecting automatically."];
    const { kind, failure } = this.player;
    if (this.playing && !kind) return ["No H.264 video", `${failure}. "Automatic" shows JPEG pictures instead.`];
    if (state === "disabled") return ["Switched off", ""];
    if (state === "failed") return ["Failed", reason];
    if (state === "ended") return ["The video has ended", ""];
    if (["retrying", "stalled", "stuck"].includes(state)) return ["Camera lost, reconnecting", reason];
    if (!this.bitmap) return ["Waiting for the first picture", state === "starting" ? reason : ""];
    if (stale) return ["No new picture", `The last one is ${Math.round(age / 1000)} s old. ${reason}`];
    return [];
  }
}
