// The cards beside the live pictures.

import { drawChart } from "/assets/chart.js";
import { colourOf, knownColour, swatch } from "/assets/colours.js";

const STAGES = [
  ["capture", "#60a5fa"],
  ["wait", "#94a3b8"],
  ["preprocess", "#a78bfa"],
  ["infer", "#14b8a6"],
  ["decode", "#f59e0b"],
];
const TONES = { running: "good", active: "good", failed: "bad", stalled: "bad", unavailable: "bad", disabled: "off" };
/** Length of one step of the charts, and how many there are. */
const STEP_MS = 2000;
const STEPS = 150;
const MOST_LABELS = 6;

export const byId = (id) => document.getElementById(id);

/** Sets an element's text only if it differs, so that screen readers stay calm. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Averages of timings and peaks of counts, one for each step of the last minutes. */
export class History {
  constructor() {
    this.steps = [];
    this.inView = new Map(); // camera -> label -> count, as of its latest scene
    this.begin();
  }

  begin() {
    this.current = { at: performance.now(), scenes: 0, stages: {}, counts: {} };
    this.steps.push(this.current);
    if (this.steps.length > STEPS) this.steps.shift();
  }

  add(scene, detections) {
    while (performance.now() - this.current.at > STEP_MS) {
      const at = this.current.at + STEP_MS;
      this.begin();
      // After a long pause (a sleeping laptop) the clock jumps on instead of filling hours of steps.
      this.current.at = performance.now() - at > STEP_MS * STEPS ? performance.now() : at;
    }
    const { stages, counts } = this.current;
    this.current.scenes += 1;
    for (const [stage] of STAGES) stages[stage] = (stages[stage] ?? 0) + (scene.timings_ms[stage] ?? 0);
    const here = {};
    for (const { label } of detections) here[label] = (here[label] ?? 0) + 1;
    this.inView.set(scene.camera, here);
    for (const label in here) {
      const everywhere = [...this.inView.values()].reduce((sum, camera) => sum + (camera[label] ?? 0), 0);
      counts[label] = Math.max(counts[label] ?? 0, everywhere);
    }
  }

  stageSeries() {
    return STAGES.map(([stage, colour]) => ({
      name: stage,
      colour,
      values: this.steps.map((step) => (step.scenes ? (step.stages[stage] ?? 0) / step.scenes : 0)),
    }));
  }

  countSeries() {
    const totals = new Map();
    for (const { counts } of this.steps) {
      for (const label in counts) totals.set(label, (totals.get(label) ?? 0) + counts[label]);
    }
    const labels = [...totals].sort((a, b) => b[1] - a[1]).slice(0, MOST_LABELS);
    return labels.map(([label]) => ({
      name: label,
      colour: knownColour(label),
      values: this.steps.map((step) => (step.scenes ? (step.counts[label] ?? 0) : null)),
    }));
  }
}

/** Charts, with their legends. */
export function drawCharts(history) {
  const stages = history.stageSeries();
  drawChart(byId("speed-chart"), stages, "stacked", " ms");
  legend(byId("stages"), stages.map((s) => ({ ...s, text: `${s.name} ${latest(s.values).toFixed(1)} ms` })));
  const counts = history.countSeries();
  drawChart(byId("counts-chart"), counts, "lines", "");
  legend(byId("counts-legend"), counts.map((s) => ({ ...s, text: `${s.name} ${latest(s.values)}` })));
}

/** The newest complete step. */
function latest(values) {
  return values.at(-2) ?? values.at(-1) ?? 0;
}

function legend(list, entries) {
  list.replaceChildren(
    ...entries.map(({ colour, text }) => {
      const item = make("li");
      item.append(swatch(colour), text);
      return item;
    }),
  );
}

/** The list of what is in view: `found` holds `{camera, detection}`. */
export function showFound(found, severalCameras) {
  byId("view-empty").hidden = found.length > 0;
  setText(byId("view-count"), found.length ? String(found.length) : "");
  byId("view").replaceChildren(
    ...found.map(({ camera, detection }) => {
      const item = make("li");
      const name = make("span", "", detection.label);
      if (severalCameras) name.append(make("span", "where", ` ${camera}`));
      const meter = make("meter");
      meter.value = detection.score;
      meter.setAttribute("aria-label", `Score of ${detection.label}`);
      item.append(swatch(colourOf(detection)), name, meter, make("span", "number", detection.score.toFixed(2)));
      return item;
    }),
  );
}

/** A button for each class that was seen. */
export function showLabels(labels, hidden, toggle) {
  const box = byId("labels");
  const key = labels.map((label) => `${label}:${hidden.has(label)}`).join();
  if (box.dataset.key === key) return;
  box.dataset.key = key;
  const focused = document.activeElement?.dataset?.label;
  box.replaceChildren(
    ...labels.map((label) => {
      const button = make("button");
      button.type = "button";
      button.dataset.label = label;
      button.setAttribute("aria-pressed", String(!hidden.has(label)));
      button.append(swatch(knownColour(label)), label);
      button.addEventListener("click", () => toggle(label));
      return button;
    }),
  );
  if (focused) [...box.children].find((b) => b.dataset.label === focused)?.focus();
}

/** Cameras and their states. */
export function showCameras(cameras) {
  byId("cameras").replaceChildren(
    ...cameras.map((camera) => {
      const item = make("li");
      item.append(make("span", "strong", camera.name), tag(camera.state));
      const restarts = camera.restarts ? `, ${camera.restarts} restarts` : "";
      item.append(make("span", "more", `${camera.source} · ${camera.fps.toFixed(1)} fps${restarts}`));
      if (camera.last_error) item.append(make("span", "fault", camera.last_error));
      return item;
    }),
  );
}

/** Model, runtime and providers, with their reasons. */
export function showModel({ phase, engine }) {
  const chip = byId("engine-chip");
  chip.hidden = !engine;
  if (!engine) return setText(byId("model-name"), phaseInWords(phase));
  setText(chip, `${engine.model} on ${engine.provider}`);
  setText(byId("model-name"), engine.model);
  setText(byId("model-facts"), [`ONNX Runtime ${engine.runtime_version}`, engine.licence].filter(Boolean).join(" · "));
  byId("providers").replaceChildren(
    ...engine.providers.map((provider) => {
      const item = make("li");
      item.append(make("span", "", provider.name), tag(provider.state));
      if (provider.nodes) item.append(make("span", "more", `${provider.nodes} nodes`));
      if (provider.reason) item.append(make("span", "more", provider.reason));
      return item;
    }),
  );
}

function tag(state) {
  const element = make("span", "tag", state);
  element.dataset.tone = TONES[state] ?? "warn";
  return element;
}

/** The engine's phase for people. */
export function phaseInWords(phase) {
  const elapsed = phase.elapsed_s ? ` (${Math.round(phase.elapsed_s)} s)` : "";
  const usual = phase.usual_s ? `, usually ${Math.round(phase.usual_s)} s` : "";
  return {
    loading_runtime: "Loading ONNX Runtime",
    building: `Building the engine${elapsed}${usual}`,
    warming_up: "Warming up",
    ready: "Ready",
    failed: `The engine failed: ${phase.reason}`,
  }[phase.name];
}

/** The line below the top bar; hidden without text. */
export function showNotice(text, kind = "warn", progress = null) {
  const notice = byId("notice");
  notice.hidden = !text;
  notice.dataset.kind = kind;
  setText(byId("notice-text"), text ?? "");
  const bar = byId("notice-progress");
  bar.hidden = progress === null;
  if (progress !== null) bar.value = Math.min(progress, 1);
}
