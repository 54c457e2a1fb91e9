// The page: which cameras there are, what is shown of them, and how the daemon does.

import { clockOffset, getJson, Link } from "/assets/api.js";
import { colourOf } from "/assets/colours.js";
import { Tile } from "/assets/tile.js";
import { byId, drawCharts, History, phaseInWords, setText, showCameras, showFound, showLabels, showModel, showNotice } from "/assets/panels.js";

const SLOW_MS = 5000;
const QUICK_MS = 1000;

/** What the person chose; kept in this browser. */
const choice = {
  hidden: new Set(JSON.parse(localStorage.getItem("sightd.hidden") ?? "[]")),
  score: Number(localStorage.getItem("sightd.score") ?? 0),
  theme: localStorage.getItem("sightd.theme") ?? "system",
  layout: localStorage.getItem("sightd.layout") ?? "grid",
  large: localStorage.getItem("sightd.large"),
};
const tiles = new Map();
const labels = new Set();
const history = new History();
let linkState = "connecting";
let aheadMs = 0;
let lost = 0;

const page = {
  wanted: (detection) => detection.score >= choice.score && !choice.hidden.has(detection.label),
  drawn(tile) {
    const behind = Date.now() + aheadMs - tile.capturedAtMs;
    tile.latencyMs = tile.latencyMs === null ? behind : tile.latencyMs * 0.8 + behind * 0.2;
  },
  chosen(tile) {
    const large = choice.layout === "one" && choice.large === tile.name;
    choice.large = tile.name;
    setLayout(large ? "grid" : "one");
  },
};

// Scenes

const scenes = new Link("/ws", {
  message(data) {
    const message = JSON.parse(data);
    if (message.type === "lost") lost += message.count;
    if (message.type !== "scene") return;
    for (const detection of message.detections) {
      labels.add(detection.label);
      colourOf(detection);
    }
    history.add(message, message.detections.filter(page.wanted));
    tiles.get(message.camera)?.addScene(message);
  },
  state(state) {
    linkState = state;
    if (state === "live") {
      for (const tile of tiles.values()) tile.matcher.reset();
      refreshState();
    }
    refreshLink();
  },
});

function refreshLink() {
  const pill = byId("link");
  pill.dataset.state = linkState;
  setText(pill, { live: "Live", connecting: "Connecting", lost: "Reconnecting" }[linkState]);
  if (linkState === "lost") showNotice("The connection to the daemon is lost. Trying again by itself.", "bad");
}

// Cameras, engine, readiness

let stateTimer;
async function refreshState() {
  clearTimeout(stateTimer);
  let next = SLOW_MS;
  try {
    const [{ cameras }, model] = await Promise.all([getJson("/cameras"), getJson("/model")]);
    placeTiles(cameras);
    showCameras(cameras);
    showModel(model);
    const waiting = cameras.filter((camera) => camera.state !== "disabled" && !givesScenes(camera));
    showReadiness(model.phase, waiting, cameras.length);
    if (waiting.length || model.phase.name !== "ready") next = QUICK_MS;
    aheadMs = await clockOffset();
  } catch {
    next = QUICK_MS; // the link says that the daemon can not be reached
  }
  clearTimeout(stateTimer);
  stateTimer = setTimeout(refreshState, next);
}

const givesScenes = ({ state, seq }) => state === "running" && seq !== null;

function showReadiness(phase, waiting, cameras) {
  if (linkState === "lost") return;
  const { name, elapsed_s: elapsed, usual_s: usual } = phase;
  if (name !== "ready") {
    const kind = name === "failed" ? "bad" : "warn";
    const hint = name === "failed" ? "" : ". Pictures are shown without detections meanwhile.";
    return showNotice(phaseInWords(phase) + hint, kind, elapsed && usual ? elapsed / usual : null);
  }
  const names = waiting.map((camera) => `${camera.name} (${camera.state})`).join(", ");
  if (names) return showNotice(`Waiting for ${waiting.length > 1 ? "cameras" : "camera"} ${names}`, waiting.length < cameras ? "warn" : "bad");
  showNotice(null);
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
      if (!document.hidden) tile.start();
    }
    tile.status = camera;
  }
  byId("no-cameras").hidden = tiles.size > 0;
  byId("layout").hidden = tiles.size < 2;
  setLayout(choice.layout);
}

// What the person chooses

function setLayout(layout) {
  choice.layout = layout;
  if (!tiles.has(choice.large)) choice.large = tiles.keys().next().value ?? null;
  localStorage.setItem("sightd.layout", layout);
  if (choice.large) localStorage.setItem("sightd.large", choice.large);
  byId("tiles").dataset.layout = tiles.size > 1 ? layout : "grid";
  for (const button of byId("layout").children) {
    button.setAttribute("aria-pressed", String(button.dataset.layout === layout));
  }
  for (const tile of tiles.values()) {
    const large = layout === "one" && tile.name === choice.large;
    tile.element.toggleAttribute("data-large", large);
    tile.button.hidden = tiles.size < 2;
    setText(tile.button, large ? "Back to the grid" : "Enlarge");
  }
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

function setTheme(theme) {
  choice.theme = theme;
  localStorage.setItem("sightd.theme", theme);
  document.documentElement.dataset.theme = theme;
  const words = { system: "as the system", dark: "dark", light: "light" };
  byId("theme").setAttribute("aria-label", `Colours: ${words[theme]}`);
  byId("theme").title = `Colours: ${words[theme]}`;
}

function repaint() {
  for (const tile of tiles.values()) tile.paint();
  refreshFound();
}

// What is in view

function refreshFound() {
  const found = [];
  for (const tile of tiles.values()) {
    if (tile.fps() === 0) continue; // what it saw last is no longer in view
    for (const detection of tile.lastScene.detections) {
      if (page.wanted(detection)) found.push({ camera: tile.name, detection });
    }
  }
  found.sort((a, b) => b.detection.score - a.detection.score);
  showFound(found, tiles.size > 1);
  showLabels([...labels].sort(), choice.hidden, toggleLabel);
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
for (const button of byId("layout").children) button.addEventListener("click", () => setLayout(button.dataset.layout));
document.addEventListener("visibilitychange", () => {
  for (const tile of tiles.values()) document.hidden ? tile.stop() : tile.start();
});
setTheme(choice.theme);
setScore(choice.score);
refreshState();
getJson("/version").then(({ name, version }) => setText(byId("version"), `${name} ${version}`), () => {});
setInterval(() => {
  for (const tile of tiles.values()) tile.refresh();
  refreshFound();
  refreshSpeed();
}, 400);
setInterval(() => drawCharts(history), QUICK_MS);
addEventListener("pagehide", () => scenes.close());
