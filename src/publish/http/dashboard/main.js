// The page: which cameras there are, what is shown of them, and how the daemon does.

import { clockOffset, getJson, Link } from "./api.js";
import { showCameras } from "./cameras.js";
import { drawCharts } from "./charts.js";
import { showClasses } from "./classes.js";
import { colourOf } from "./colours.js";
import { byId, setText } from "./dom.js";
import { History } from "./history.js";
import { keepColumns } from "./layout.js";
import { followLog } from "./log.js";
import { showMachine } from "./machine.js";
import { showModel, troubleOf } from "./model.js";
import { Tile } from "./tile.js";
import { takePictures } from "./try.js";

const SLOW_MS = 5000;
const QUICK_MS = 1000;

/** What the person chose; kept in this browser. */
const choice = {
  hidden: new Set(JSON.parse(localStorage.getItem("sightd.hidden") ?? "[]")),
  score: Number(localStorage.getItem("sightd.score") ?? 0),
  theme: localStorage.getItem("sightd.theme") ?? "system",
  layout: localStorage.getItem("sightd.layout") ?? "grid",
  large: localStorage.getItem("sightd.large"),
  video: localStorage.getItem("sightd.video") ?? "automatic",
};
const tiles = new Map();
const labels = new Set();
const history = new History();
let linkState = "connecting";
let lost = 0;
let heardAt = null;
let role = "read";

/** What tiles know of the page. */
const page = {
  /** How far the daemon's clock is ahead of this browser's, in milliseconds. */
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
    if (back) for (const tile of tiles.values()) tile.restart(); // the daemon may be another one, which counts anew
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
  const since = heardAt ? ` What you see is from ${heardAt.toLocaleTimeString()}.` : "";
  showNotice({ text: `The connection to the daemon is lost; trying again by itself.${since}`, kind: "bad", progress: null });
}

/** The line below the top bar; hidden without trouble. */
function showNotice(trouble) {
  const notice = byId("notice");
  notice.hidden = !trouble;
  if (!trouble) return;
  notice.dataset.kind = trouble.kind;
  setText(byId("notice-text"), trouble.text);
  const bar = byId("notice-progress");
  bar.hidden = trouble.progress === null;
  if (trouble.progress !== null) bar.value = trouble.progress;
}

// Cameras, engine, machine

let stateTimer;
async function refreshState() {
  clearTimeout(stateTimer);
  let next = SLOW_MS;
  try {
    const [{ cameras }, model, system] = await Promise.all(["cameras", "model", "system"].map(getJson));
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

function setLayout(layout) {
  choice.layout = layout;
  if (!tiles.has(choice.large)) choice.large = tiles.keys().next().value ?? null;
  localStorage.setItem("sightd.layout", layout);
  if (choice.large) localStorage.setItem("sightd.large", choice.large);
  document.body.dataset.layout = layout;
  document.body.dataset.cameras = tiles.size > 1 ? "several" : "one";
  for (const button of byId("layout").children) {
    button.setAttribute("aria-pressed", String(button.dataset.layout === layout));
  }
  for (const tile of tiles.values()) tile.setLarge(layout === "one" && tile.name === choice.large);
}

function toggleLabel(label) {
  if (!choice.hidden.delete(label)) choice.hidden.add(label);
  localStorage.setItem("sightd.hidden", JSON.stringify([...choice.hidden]));
  repaint();
}

function setScore(score) {
  choice.score = score;
  localStorage.setItem("sightd.score", String(score));
  byId("score").value = score;
  setText(byId("score-value"), score.toFixed(2));
  repaint();
}

function setVideo(video) {
  choice.video = video;
  localStorage.setItem("sightd.video", video);
  for (const tile of tiles.values()) tile.restart();
}

function setTheme(theme) {
  choice.theme = theme;
  localStorage.setItem("sightd.theme", theme);
  document.documentElement.dataset.theme = theme;
  const words = { system: "as the system", dark: "dark", light: "light" };
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
  const seen = new Map([...labels].map((label) => [label, { count: 0, best: 0 }]));
  for (const tile of tiles.values()) {
    if (tile.fps() === 0) continue; // what it saw last is no longer in view
    for (const { label, score } of tile.lastScene.detections) {
      const entry = seen.get(label);
      if (score < choice.score) continue;
      entry.count += 1;
      entry.best = Math.max(entry.best, score);
    }
  }
  showClasses(seen, choice.hidden, toggleLabel);
}

function refreshSpeed() {
  const live = [...tiles.values()].filter((tile) => tile.fps() > 0);
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const known = live.filter((tile) => tile.latencyMs !== null);
  setText(byId("fps"), live.length ? live.reduce((sum, tile) => sum + tile.fps(), 0).toFixed(1) : "–");
  setText(byId("latency"), known.length ? `${Math.round(mean(known.map((tile) => tile.latencyMs)))} ms` : "–");
  setText(byId("infer"), live.length ? `${mean(live.map((tile) => tile.lastScene.timings_ms.infer)).toFixed(1)} ms` : "–");
  byId("fps").title = lost ? `${lost} scenes were left out because this browser was slow` : "";
}

// Start

byId("theme").addEventListener("click", () => {
  const order = ["system", "dark", "light"];
  setTheme(order[(order.indexOf(choice.theme) + 1) % order.length]);
});
byId("score").addEventListener("input", (event) => setScore(Number(event.target.value)));
byId("video").value = choice.video;
byId("video").addEventListener("change", (event) => setVideo(event.target.value));
for (const button of byId("layout").children) button.addEventListener("click", () => setLayout(button.dataset.layout));
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
