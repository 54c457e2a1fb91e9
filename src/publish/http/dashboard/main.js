// The page: the cameras, what is shown of them, and the state of the daemon.

import { clockOffset, getJson, Link } from "./api.js";
import { showCameras } from "./cameras.js";
import { drawCharts } from "./charts.js";
import { showClasses } from "./classes.js";
import { colourOf } from "./colours.js";
import { byId, itemsOf, setText } from "./dom.js";
import { History } from "./history.js";
import { keepColumns } from "./layout.js";
import { followLog } from "./log.js";
import { showMachine } from "./machine.js";
import { showModel, troubleOf } from "./model.js";
import { Tile } from "./tile.js";
import { takePictures } from "./try.js";

/** @import { InView } from "./classes.js" */
/** @import { Trouble } from "./model.js" */
/** @import { VideoRequest } from "./player.js" */
/** @import { Page } from "./tile.js" */
/** @import { Answers, Camera, LinkState, StreamMessage } from "./types.js" */

const SLOW_MS = 5000;
const QUICK_MS = 1000;

const LAYOUTS = /** @type {const} */ (["grid", "one", "wall"]);
const THEMES = /** @type {const} */ (["system", "dark", "light"]);
/** @type {VideoRequest[]} */
const VIDEOS = ["automatic", "h264", "jpeg"];
/** @typedef {typeof LAYOUTS[number]} Layout */
/** @typedef {typeof THEMES[number]} Theme */

/**
 * The one of `allowed` that `text` is; the first one if it is none of them.
 * @template {string} T
 * @param {readonly T[]} allowed
 * @param {string|null|undefined} text
 */
const oneOf = (allowed, text) => allowed.find((value) => value === text) ?? allowed[0];

/** What the person chose; kept in this browser. */
const choice = {
  /** @type {Set<string>} */
  hidden: new Set(JSON.parse(localStorage.getItem("sightd.hidden") ?? "[]")),
  score: Number(localStorage.getItem("sightd.score") ?? 0),
  theme: oneOf(THEMES, localStorage.getItem("sightd.theme")),
  layout: oneOf(LAYOUTS, localStorage.getItem("sightd.layout")),
  large: localStorage.getItem("sightd.large"),
  video: oneOf(VIDEOS, localStorage.getItem("sightd.video")),
};
/** By camera. @type {Map<string, Tile>} */
const tiles = new Map();
/** Of all classes that were detected since the page was opened. @type {Set<string>} */
const labels = new Set();
const history = new History();
/** @type {LinkState} */
let linkState = "connecting";
let lost = 0;
/** When the latest scene was received. @type {Date|null} */
let heardAt = null;
/** @type {Answers["session"]["role"]} */
let role = "read";

/** @type {Page} */
const page = {
  aheadMs: 0,
  get video() {
    return choice.video;
  },
  wanted: (detection) => detection.score >= choice.score && !choice.hidden.has(detection.label),
  chosen(tile) {
    const large = choice.layout === "one" && choice.large === tile.name;
    choice.large = tile.name;
    setLayout(large ? "grid" : "one");
  },
};

// Scenes

const scenes = new Link("ws", {
  message(data) {
    if (typeof data !== "string") return;
    /** @type {StreamMessage} */
    const message = JSON.parse(data);
    if (message.type === "lost") lost += message.count;
    if (message.type !== "scene") return;
    heardAt = new Date();
    for (const detection of message.detections) {
      labels.add(detection.label);
      colourOf(detection);
    }
    history.add(message, message.detections.filter(page.wanted));
    tiles.get(message.camera)?.addScene(message);
  },
  state(state) {
    const back = state === "live" && linkState === "lost";
    linkState = state;
    // The daemon may be a new process, which counts from the start again.
    if (back) for (const tile of tiles.values()) tile.restart();
    if (state === "live") refreshState();
    refreshLink();
  },
});

function refreshLink() {
  const pill = byId("link");
  pill.dataset.state = linkState;
  setText(pill, { live: "Live", connecting: "Connecting", lost: "Reconnecting" }[linkState]);
  document.body.toggleAttribute("data-stale", linkState === "lost");
  if (linkState !== "lost") return;
  const since = heardAt ? ` The data shown is from ${heardAt.toLocaleTimeString()}.` : "";
  showNotice({ text: `The connection to the daemon is lost; reconnecting automatically.${since}`, kind: "bad", progress: null });
}

/** The line below the top bar; hidden if there is nothing to report. @param {Trouble|null} trouble */
function showNotice(trouble) {
  const notice = byId("notice");
  notice.hidden = !trouble;
  if (!trouble) return;
  notice.dataset.kind = trouble.kind;
  setText(byId("notice-text"), trouble.text);
  const bar = byId("notice-progress", HTMLProgressElement);
  bar.hidden = trouble.progress === null;
  if (trouble.progress !== null) bar.value = trouble.progress;
}

// Cameras, engine, machine

/** @type {number|undefined} */
let stateTimer;
async function refreshState() {
  clearTimeout(stateTimer);
  let next = SLOW_MS;
  try {
    const [{ cameras }, model, system] = await Promise.all([getJson("cameras"), getJson("model"), getJson("system")]);
    placeTiles(cameras);
    showCameras(cameras, role);
    showModel(model);
    showMachine(system, history);
    const trouble = troubleOf(model.phase, cameras);
    if (linkState !== "lost") showNotice(trouble);
    if (trouble) next = QUICK_MS;
    page.aheadMs = await clockOffset();
  } catch {
    next = QUICK_MS; // the link says that the daemon cannot be reached
  }
  clearTimeout(stateTimer);
  stateTimer = setTimeout(refreshState, next);
}

/** @param {Camera[]} cameras */
function placeTiles(cameras) {
  const names = new Set(cameras.map((camera) => camera.name));
  for (const [name, tile] of tiles) {
    if (names.has(name)) continue;
    tile.remove();
    tiles.delete(name);
  }
  for (const camera of cameras) {
    let tile = tiles.get(camera.name);
    if (!tile) {
      tile = new Tile(camera.name, page);
      tiles.set(camera.name, tile);
      byId("tiles").append(tile.element);
      tile.update(camera);
      if (!document.hidden) tile.start();
    }
    tile.update(camera);
  }
  byId("no-cameras").hidden = tiles.size > 0;
  setLayout(choice.layout);
}

// What the person chooses

/** @param {Layout} layout */
function setLayout(layout) {
  choice.layout = layout;
  if (choice.large === null || !tiles.has(choice.large)) choice.large = tiles.keys().next().value ?? null;
  localStorage.setItem("sightd.layout", layout);
  if (choice.large) localStorage.setItem("sightd.large", choice.large);
  document.body.dataset.layout = layout;
  document.body.dataset.cameras = tiles.size > 1 ? "several" : "one";
  for (const button of itemsOf(byId("layout"))) {
    button.setAttribute("aria-pressed", String(button.dataset.layout === layout));
  }
  for (const tile of tiles.values()) tile.setLarge(layout === "one" && tile.name === choice.large);
}

/** @param {string} label */
function toggleLabel(label) {
  if (!choice.hidden.delete(label)) choice.hidden.add(label);
  localStorage.setItem("sightd.hidden", JSON.stringify([...choice.hidden]));
  repaint();
}

/** @param {number} score 0..1 */
function setScore(score) {
  choice.score = score;
  localStorage.setItem("sightd.score", String(score));
  byId("score", HTMLInputElement).value = String(score);
  setText(byId("score-value"), score.toFixed(2));
  repaint();
}

/** @param {VideoRequest} video */
function setVideo(video) {
  choice.video = video;
  localStorage.setItem("sightd.video", video);
  for (const tile of tiles.values()) tile.restart();
}

/** @param {Theme} theme */
function setTheme(theme) {
  choice.theme = theme;
  localStorage.setItem("sightd.theme", theme);
  document.documentElement.dataset.theme = theme;
  const words = { system: "system setting", dark: "dark", light: "light" };
  byId("theme").setAttribute("aria-label", `Colours: ${words[theme]}`);
  byId("theme").title = `Colours: ${words[theme]}`;
  drawCharts(history);
}

function repaint() {
  for (const tile of tiles.values()) tile.paint();
  refreshClasses();
}

// What is in view

function refreshClasses() {
  /** @type {Map<string, InView>} */
  const seen = new Map([...labels].map((label) => [label, { count: 0, best: 0 }]));
  for (const tile of tiles.values()) {
    if (tile.fps() === 0 || !tile.lastScene) continue; // what it saw last is no longer in view
    for (const { label, score } of tile.lastScene.detections) {
      const entry = seen.get(label);
      if (!entry || score < choice.score) continue;
      entry.count += 1;
      entry.best = Math.max(entry.best, score);
    }
  }
  showClasses(seen, choice.hidden, toggleLabel);
}

function refreshSpeed() {
  const live = [...tiles.values()].filter((tile) => tile.fps() > 0);
  /** @param {number[]} values */
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const latencies = live.flatMap(({ latencyMs }) => latencyMs ?? []);
  const inferences = live.flatMap(({ lastScene }) => lastScene?.timings_ms.infer ?? []);
  setText(byId("fps"), live.length ? live.reduce((sum, tile) => sum + tile.fps(), 0).toFixed(1) : "–");
  setText(byId("latency"), latencies.length ? `${Math.round(mean(latencies))} ms` : "–");
  setText(byId("infer"), inferences.length ? `${mean(inferences).toFixed(1)} ms` : "–");
  byId("fps").title = lost ? `${lost} scenes were skipped because this browser was too slow` : "";
}

// Start

byId("theme").addEventListener("click", () => {
  setTheme(THEMES[(THEMES.indexOf(choice.theme) + 1) % THEMES.length]);
});
const score = byId("score", HTMLInputElement);
score.addEventListener("input", () => setScore(Number(score.value)));
const video = byId("video", HTMLSelectElement);
video.value = choice.video;
video.addEventListener("change", () => setVideo(oneOf(VIDEOS, video.value)));
for (const button of itemsOf(byId("layout"))) {
  button.addEventListener("click", () => setLayout(oneOf(LAYOUTS, button.dataset.layout)));
}
document.addEventListener("visibilitychange", () => {
  for (const tile of tiles.values()) document.hidden ? tile.stop() : tile.start();
});
setTheme(choice.theme);
setScore(choice.score);
keepColumns();
refreshState();
takePictures();
getJson("session").then((session) => {
  role = session.role;
  byId("logout").hidden = !session.logged_in;
  if (role === "admin") followLog();
}, () => {});
getJson("version").then(({ name, version }) => setText(byId("version"), `${name} ${version}`), () => {});
setInterval(() => {
  for (const tile of tiles.values()) tile.refresh();
  refreshClasses();
  refreshSpeed();
}, 400);
setInterval(() => {
  history.advance();
  drawCharts(history);
}, QUICK_MS);
addEventListener("pagehide", () => scenes.close());
