// One camera's live picture with its boxes.

import { byId, setText } from "./dom.js";
import { drawOver, inWords } from "./draw.js";
import { Matcher } from "./match.js";
import { Meter } from "./meter.js";
import { Player } from "./player.js";

/** Without a new picture for this long, the picture is old. */
const STALE_MS = 3000;

export class Tile {
  /**
   * @param {string} name the camera's
   * @param {{wanted: (detection: object) => boolean, chosen: (tile: Tile) => void, aheadMs: number, video: VideoRequest}} page
   *   `video`: what the person wants to be played, see player.js
   */
  constructor(name, page) {
    this.name = name;
    this.page = page;
    /** As GET /cameras gives it. */
    this.status = null;
    this.scene = null;
    /** How old pictures are when they are drawn: a moving mean. */
    this.latencyMs = null;
    this.drawnAt = performance.now();
    this.bitmap = null;
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
    this.build();
    this.resizer = new ResizeObserver(() => this.paint());
    this.resizer.observe(this.canvas);
  }

  build() {
    const element = byId("tile").content.cloneNode(true).firstElementChild;
    const part = (selector) => element.querySelector(selector);
    element.dataset.camera = this.name;
    this.element = element;
    this.canvas = part("canvas");
    this.overlay = part(".overlay");
    this.numbers = part(".numbers");
    this.button = part(".enlarge");
    part("h2").textContent = this.name;
    this.button.addEventListener("click", () => this.page.chosen(this));
    this.canvas.addEventListener("click", () => this.page.chosen(this));
    const link = part(".snapshot");
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

  /** What the daemon says of the camera. @param {object} status as GET /cameras gives it */
  update(status) {
    const before = this.status;
    this.status = status;
    const back = status.state === "running" && before?.state !== "running";
    // H.264 that failed has its chance again when the camera comes back.
    if ((back && this.player.failure) || status.video?.codec !== before?.video?.codec) this.restart();
  }

  /** Begins to watch. */
  start() {
    this.watching = true;
    this.restart();
  }

  /** Begins anew, with what is wanted and offered now. */
  restart() {
    if (!this.watching) return;
    this.latencyMs = null;
    this.player.start(this.status?.video, this.page.video);
  }

  /** Stops watching, so that the daemon need not encode pictures. */
  stop() {
    this.watching = false;
    this.player.stop();
    this.matcher.reset();
  }

  remove() {
    this.stop();
    this.resizer.disconnect();
    this.element.remove();
  }

  /** A scene of this camera. */
  addScene(scene) {
    this.scenes.add(1);
    this.lastScene = scene;
    this.matcher.scene(scene);
  }

  /** Scenes per second over the last seconds. */
  fps() {
    return this.scenes.perSecond();
  }

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
    const context = this.canvas.getContext("2d");
    context.drawImage(this.bitmap, 0, 0, width, height);
    const wanted = this.scene ? this.scene.detections.filter((d) => this.page.wanted(d)) : [];
    drawOver(context, wanted, ratio);
    this.describe(inWords(wanted) || "nothing in view");
  }

  /** For those who do not see the picture. */
  describe(text) {
    if (this.description !== text) this.canvas.setAttribute("aria-label", `${this.name}: ${(this.description = text)}`);
  }

  /** Brings status-indicator, overlay and numbers up to date. */
  refresh() {
    const age = performance.now() - this.drawnAt;
    const stale = age > STALE_MS;
    const [title, detail] = this.trouble(this.status?.state ?? "starting", stale, age);
    this.overlay.hidden = !title;
    setText(this.overlay.querySelector("strong"), title ?? "");
    setText(this.overlay.querySelector("span"), detail ?? "");
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

  trouble(state, stale, age) {
    const reason = this.status?.last_error ?? "";
    if (this.linkState === "lost") return ["Connection lost", "Trying again by itself."];
    const { kind, failure } = this.player;
    if (this.watching && !kind) return ["No H.264 video", `${failure}. "Automatic" shows JPEG pictures instead.`];
    if (state === "disabled") return ["Switched off", ""];
    if (state === "failed") return ["Failed", reason];
    if (state === "ended") return ["Played to its end", ""];
    if (["retrying", "stalled", "stuck"].includes(state)) return ["Camera lost, trying again", reason];
    if (!this.bitmap) return ["Waiting for the first picture", state === "starting" ? reason : ""];
    if (stale) return ["No new picture", `The last one is ${Math.round(age / 1000)} s old. ${reason}`];
    return [];
  }
}
