// A camera's settings that are applied immediately; they are valid until the configuration is read again.

import { getJson, problemOf } from "./api.js";
import { make, setText, wordsOf } from "./dom.js";

/** @import { CameraChange, CameraSettings } from "./types.js" */

/**
 * The settings of a camera, closed; their current values are fetched whenever they are opened.
 * @param {string} name the camera's
 */
export function settingsOf(name) {
  const details = make("details", "settings");
  const form = make("div", "form");
  const summary = make("summary", "", "Settings");
  summary.setAttribute("aria-label", `Settings of ${name}`);
  details.append(summary, form);
  details.addEventListener("toggle", async () => {
    if (!details.open) return form.replaceChildren();
    try {
      const { camera } = await getJson("config");
      form.replaceChildren(...fields(name, camera[name]));
    } catch (error) {
      form.replaceChildren(make("p", "fault", wordsOf(error)));
    }
  });
  return details;
}

/** @param {string} name @param {CameraSettings} settings */
function fields(name, { enabled, detection }) {
  const answer = make("p", "quiet");
  answer.setAttribute("role", "status");
  /** @param {CameraChange} change */
  const send = (change) => apply(name, change, answer);
  const ownScores = Object.entries(detection.classes).flatMap(([label, rule]) =>
    typeof rule === "number" ? [slider(label, rule, (score) => send({ detection: { classes: { [label]: score } } }))] : [],
  );
  return [
    toggle("Enabled", enabled, (used) => send({ enabled: used })),
    slider("Minimum score", detection.score, (score) => send({ detection: { score } })),
    ...ownScores,
    answer,
  ];
}

/** @param {string} name @param {CameraChange} change @param {HTMLElement} answer shows the result */
async function apply(name, change, answer) {
  setText(answer, "Applying …");
  try {
    const response = await fetch(`cameras/${encodeURIComponent(name)}`, {
      method: "PATCH",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(change),
    });
    setText(answer, response.ok ? "Applied, until the next restart or reload." : await problemOf(response));
  } catch (error) {
    setText(answer, `Not applied: ${wordsOf(error)}`);
  }
}

/** @param {string} text @param {boolean} value @param {(value: boolean) => void} changed */
function toggle(text, value, changed) {
  const label = make("label", "switch");
  const input = make("input");
  input.type = "checkbox";
  input.checked = value;
  input.addEventListener("change", () => changed(input.checked));
  label.append(input, text);
  return label;
}

/** @param {string} text @param {number} value 0..1 @param {(value: number) => void} changed */
function slider(text, value, changed) {
  const label = make("label", "slider");
  const input = make("input");
  const output = make("output", "", value.toFixed(2));
  Object.assign(input, { type: "range", min: "0", max: "1", step: "0.01" });
  input.value = String(value);
  input.addEventListener("input", () => setText(output, Number(input.value).toFixed(2)));
  input.addEventListener("change", () => changed(Number(input.value)));
  label.append(make("span", "", text), input, output);
  return label;
}
