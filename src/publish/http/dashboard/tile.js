// One camera's live picture with its boxes.

import { Link } from "/assets/api.js";
import { Matcher } from "/assets/match.js";
import { colourOf } from "/assets/colours.js";

const HEADER_BYTES = 16;
/** Without a new picture for this long, the picture is old. */
const STALE_MS = 3000;
/** On a narrower picture only the boxes are drawn: labels would hide it. */
const NARROW_PX = 260;

export class Tile {
  /**
   * @param {string} name the camera's
   * @param {{wanted: (detection: object) => boolean, drawn: (tile: Tile) => void, chosen: (tile: Tile) => void}} page
   */
  constructor(name, page) {
    this.name = name;
    this.page = page;
    this.status = null;
    this.scene = null;
    this.latencyMs = null;
    this.drawnAt = performance.now();
    this.bitmap = null;
    this.sceneTimes = [];
    this.turns = 0;
    this.paintedTurn = 0;
    this.matcher = new Matcher((picture, scene) => this.decode(picture, scene));
    this.build();
    this.resizer = new ResizeObserver(() => this.paint());
    this.resizer.observe(this.canvas);
  }

  build() {
    const element = document.createElement("article");
    element.className = "tile";
    element.dataset.camera = this.name;
    element.innerHTML = `
      <div class="screen">
        <canvas role="img"></canvas>
        <div class="veil"><strong></strong><span></span></div>
        <p class="badge"></p>
      </div>
      <div class="tile-foot">
        <strong></strong><span class="numbers"></span>
        <span class="actions"><button type="button">Enlarge</button><a>Snapshot</a></span>
      </div>`;
    this.element = element;
    this.canvas = element.querySelector("canvas");
    this.veil = element.querySelector(".veil");
    this.badge = element.querySelector(".badge");
    this.numbers = element.querySelector(".numbers");
    element.querySelector(".tile-foot strong").textContent = this.name;
    this.button = element.querySelector("button");
    this.button.addEventListener("click", () => this.page.chosen(this));
    this.canvas.addEventListener("click", () => this.page.chosen(this));
    const link = element.querySelector("a");
    link.href = `/cameras/${encodeURIComponent(this.name)}/snapshot.jpg`;
    link.download = `${this.name}.jpg`;
    link.setAttribute("aria-label", `Snapshot of ${this.name}`);
  }

  /** Begins to watch. */
  start() {
    if (this.link) return;
    this.link = new Link(`/cameras/${encodeURIComponent(this.name)}/live`, {
      message: (data) => this.receive(data),
      state: (state) => {
        this.linkState = state;
        if (state === "live") this.matcher.reset();
      },
    });
  }

  /** Stops watching, so that the daemon need not encode pictures. */
  stop() {
    this.link?.close();
    this.link = null;
  }

  remove() {
    this.stop();
    this.resizer.disconnect();
    this.element.remove();
  }

  receive(data) {
    if (data.byteLength <= HEADER_BYTES) return;
    const header = new DataView(data);
    this.matcher.picture({
      seq: Number(header.getBigUint64(0)),
      capturedAtMs: Number(header.getBigInt64(8)) / 1000,
      jpeg: new Blob([data.slice(HEADER_BYTES)], { type: "image/jpeg" }),
    });
  }

  /** A scene of this camera. */
  addScene(scene) {
    const now = performance.now();
    this.sceneTimes.push(now);
    while (this.sceneTimes.length && now - this.sceneTimes[0] > 5000) this.sceneTimes.shift();
    this.lastScene = scene;
    this.matcher.scene(scene);
  }

  /** Scenes per second over the last seconds. */
  fps() {
    const times = this.sceneTimes;
    if (times.length < 2 || performance.now() - times.at(-1) > STALE_MS) return 0;
    return ((times.length - 1) * 1000) / (times.at(-1) - times[0]);
  }

  async decode(picture, scene) {
    const turn = ++this.turns;
    const bitmap = await createImageBitmap(picture.jpeg).catch(() => null);
    if (!bitmap || turn < this.paintedTurn) return bitmap?.close(); // a later one was decoded sooner
    this.paintedTurn = turn;
    this.bitmap?.close();
    this.bitmap = bitmap;
    this.scene = scene;
    this.drawnAt = performance.now();
    this.capturedAtMs = picture.capturedAtMs;
    this.paint();
    this.page.drawn(this);
  }

  /** Draws the held picture and the boxes of its own scene. */
  paint() {
    if (!this.bitmap) return;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    const aspect = `${this.bitmap.width} / ${this.bitmap.height}`;
    if (this.aspect !== aspect) {
      this.aspect = aspect;
      this.canvas.parentElement.style.aspectRatio = aspect;
    }
    const width = Math.max(1, Math.round(this.canvas.clientWidth * ratio));
    const height = Math.max(1, Math.round(this.canvas.clientHeight * ratio));
    if (this.canvas.width !== width || this.canvas.height !== height) {
      this.canvas.width = width;
      this.canvas.height = height;
    }
    const context = this.canvas.getContext("2d");
    context.drawImage(this.bitmap, 0, 0, width, height);
    const wanted = this.scene ? this.scene.detections.filter((d) => this.page.wanted(d)) : [];
    for (const detection of wanted.toReversed()) drawBox(context, detection, ratio);
    this.describe(wanted);
  }

  /** What a screen reader says of the picture. */
  describe(detections) {
    const text = `${this.name}: ${detections.length ? summary(detections) : "nothing in view"}`;
    if (this.description !== text) this.canvas.setAttribute("aria-label", (this.description = text));
  }

  /** Brings badge, veil and numbers up to date. */
  refresh() {
    const age = performance.now() - this.drawnAt;
    const stale = age > STALE_MS;
    const state = this.status?.state ?? "starting";
    const [title, detail] = this.trouble(state, stale, age);
    this.veil.hidden = !title;
    this.veil.querySelector("strong").textContent = title ?? "";
    this.veil.querySelector("span").textContent = detail ?? "";
    const plain = !this.scene;
    this.badge.hidden = !this.bitmap;
    this.badge.dataset.state = title || stale ? "stale" : plain ? "plain" : "live";
    this.badge.textContent = stale ? "No picture" : plain ? "Live, no detections yet" : "Live";
    const size = this.status?.size;
    const numbers = [size && `${size.width}×${size.height}`, `${this.fps().toFixed(1)} scenes/s`];
    if (!stale && this.latencyMs !== null) numbers.push(`${Math.round(this.latencyMs)} ms behind`);
    this.numbers.textContent = numbers.filter(Boolean).join(" · ");
  }

  trouble(state, stale, age) {
    const reason = this.status?.last_error ?? "";
    if (this.linkState === "lost") return ["Connection lost", "Trying again by itself."];
    if (state === "disabled") return ["Switched off", ""];
    if (state === "failed") return ["Failed", reason];
    if (state === "retrying" || state === "stalled") return ["Camera lost, trying again", reason];
    if (!this.bitmap) return ["Waiting for the first picture", state === "starting" ? reason : ""];
    if (stale) return ["No new picture", `The last one is ${Math.round(age / 1000)} s old. ${reason}`];
    return [];
  }
}

/** For example "2 person, 1 dog". */
function summary(detections) {
  const counts = new Map();
  for (const { label } of detections) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].map(([label, count]) => `${count} ${label}`).join(", ");
}

function drawBox(context, detection, ratio) {
  const { label, score, box, track_id } = detection;
  const { width, height } = context.canvas;
  const [x, y, w, h] = [box.x * width, box.y * height, box.w * width, box.h * height];
  const colour = colourOf(detection);
  const line = 2.2 * ratio;
  context.lineJoin = "round";
  context.strokeStyle = "rgb(0 0 0 / 55%)";
  context.lineWidth = line + 2 * ratio;
  context.strokeRect(x, y, w, h);
  context.strokeStyle = colour;
  context.lineWidth = line;
  context.strokeRect(x, y, w, h);

  if (width / ratio < NARROW_PX) return;
  const id = track_id === undefined ? "" : ` #${track_id}`;
  const text = `${label}${id} ${Math.round(score * 100)}%`;
  const size = Math.max(11, Math.min(15, width / ratio / 60)) * ratio;
  context.font = `600 ${size}px system-ui, sans-serif`;
  const tagWidth = context.measureText(text).width + size * 0.8;
  const tagHeight = size * 1.45;
  const tagX = Math.max(0, Math.min(x - line / 2, width - tagWidth));
  const tagY = y > tagHeight ? y - tagHeight : Math.min(y, height - tagHeight);
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(tagX, tagY, tagWidth, tagHeight, size * 0.25);
  context.fill();
  context.fillStyle = "#0b1018";
  context.textBaseline = "middle";
  context.fillText(text, tagX + size * 0.4, tagY + tagHeight / 2);
}
