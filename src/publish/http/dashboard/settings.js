// A camera's settings that apply at once; they hold until the configuration is read again.

import { getJson, problemOf } from "./api.js";
import { make, setText } from "./dom.js";

/** The settings of the camera `name`, closed; what holds now is asked for whenever they are opened. */
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
      form.replaceChildren(make("p", "fault", error.message));
    }
  });
  return details;
}

/** @param {{enabled: boolean, detection: {score: number, classes: Record<string, number|boolean>}}} settings */
function fields(name, { enabled, detection }) {
  const answer = make("p", "quiet");
  answer.setAttribute("role", "status");
  const send = (change) => apply(name, change, answer);
  const ownScores = Object.entries(detection.classes).filter(([, rule]) => typeof rule === "number");
  return [
    toggle("In use", enabled, (used) => send({ enabled: used })),
    slider("Score above", detection.score, (score) => send({ detection: { score } })),
    ...ownScores.map(([label, rule]) => slider(label, rule, (score) => send({ detection: { classes: { [label]: score } } }))),
    answer,
  ];
}

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
    setText(answer, `Not applied: ${error.message}`);
  }
}

function toggle(text, value, changed) {
  const label = make("label", "switch");
  const input = make("input");
  input.type = "checkbox";
  input.checked = value;
  input.addEventListener("change", () => changed(input.checked));
  label.append(input, text);
  return label;
}

function slider(text, value, changed) {
  const label = make("label", "slider");
  const input = make("input");
  const output = make("output", "", value.toFixed(2));
  Object.assign(input, { type: "range", min: 0, max: 1, step: 0.01 });
  input.value = value;
  input.addEventListener("input", () => setText(output, Number(input.value).toFixed(2)));
  input.addEventListener("change", () => changed(Number(input.value)));
  label.append(make("span", "", text), input, output);
  return label;
}
