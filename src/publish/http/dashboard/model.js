// The model, its execution providers, and the phase of the engine.

import { byId, make, refill, setText, tag } from "./dom.js";

/** @import { Camera, ModelStatus, Phase, ProviderStatus } from "./types.js" */

/** @typedef {{text: string, kind: "warn"|"bad", progress: number|null}} Trouble progress: 0..1 */

/** Model, runtime and providers, with their reasons. @param {ModelStatus} model as GET /model gives it */
export function showModel({ phase, engine }) {
  const chip = byId("engine-chip");
  chip.hidden = !engine;
  if (!engine) return setText(byId("model-name"), phaseInWords(phase));
  setText(chip, `${engine.model} on ${engine.provider}`);
  setText(byId("model-name"), engine.model);
  const asked = engine.stands_in_for;
  byId("model-substitute").hidden = !asked;
  if (asked) setText(byId("model-substitute"), `Used instead of ${asked.name}: ${asked.difference}.`);
  setText(byId("model-facts"), [`ONNX Runtime ${engine.runtime_version}`, engine.licence].filter(Boolean).join(" · "));
  refill(byId("providers"), engine.providers, () => engine.providers.map(provider));
}

/** @param {ProviderStatus} status */
function provider({ name, state, nodes, reason }) {
  const item = make("li", "state");
  item.append(make("span", "", name), tag(state));
  if (nodes) item.append(make("span", "more", `${nodes} nodes of the graph`));
  if (reason) item.append(whole(reason));
  return item;
}

/** A text that may be long: its beginning, and all of it when it is opened. @param {string} text */
function whole(text) {
  const details = make("details", "more reason");
  details.append(make("summary", "", text));
  return details;
}

/** The engine's phase for people. @param {Phase} phase */
export function phaseInWords({ name, elapsed_s: elapsed, usual_s: usual, reason }) {
  const soFar = elapsed ? ` (${Math.round(elapsed)} s)` : "";
  const usually = usual ? `, usually ${Math.round(usual)} s` : "";
  return {
    loading_runtime: "Loading ONNX Runtime",
    building: `Building the engine${soFar}${usually}`,
    warming_up: "Warming up",
    ready: "Ready",
    failed: `The engine failed: ${reason}`,
  }[name];
}

/**
 * What the page should say of the daemon as a whole, if anything.
 * @param {Phase} phase
 * @param {Camera[]} cameras
 * @returns {Trouble|null}
 */
export function troubleOf(phase, cameras) {
  const { name, elapsed_s: elapsed, usual_s: usual } = phase;
  if (name === "failed") return { text: phaseInWords(phase), kind: "bad", progress: null };
  if (name !== "ready") {
    const text = `${phaseInWords(phase)}. Until then, pictures are shown without detections.`;
    return { text, kind: "warn", progress: elapsed && usual ? Math.min(elapsed / usual, 1) : null };
  }
  const waiting = cameras.filter(({ state, seq }) => state !== "disabled" && (state !== "running" || seq === null));
  if (!waiting.length) return null;
  const names = waiting.map((camera) => `${camera.name} (${camera.state})`).join(", ");
  const kind = waiting.length < cameras.length ? "warn" : "bad";
  return { text: `Waiting for ${waiting.length > 1 ? "cameras" : "camera"} ${names}`, kind, progress: null };
}
