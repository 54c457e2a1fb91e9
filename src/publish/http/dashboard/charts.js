// The charts of the last minutes, each with a legend that says the latest values in words.

import { drawChart } from "./chart.js";
import { colourAt, knownColour } from "./colours.js";
import { byId, find, itemsOf, make, refill, swatch } from "./dom.js";
import { STAGES } from "./history.js";

const STAGE_COLOURS = ["#60a5fa", "#94a3b8", "#a78bfa", "#14b8a6", "#f59e0b"];
/** More lines than this cannot be told apart. */
const MAX_LINES = 6;

/** Draws all charts. @param {import("./history.js").History} history */
export function drawCharts(history) {
  const stages = STAGES.map((name, index) => ({ name, colour: STAGE_COLOURS[index], values: history.stage(name) }));
  show("stages", "Milliseconds per stage", stages, { stacked: true, unit: " ms", digits: 1 });
  const cameras = history.names("scenes").sort().slice(0, MAX_LINES);
  const rates = cameras.map((name, index) => ({ name, colour: colourAt(index + 3), values: history.rate(name) }));
  show("rate", "Scenes per second", rates, { digits: 1 });
  const labels = history.names("counts").slice(0, MAX_LINES);
  const counts = labels.map((name) => ({ name, colour: knownColour(name), values: history.count(name) }));
  show("counts", "Counts by class", counts, { digits: 0 });
}

/**
 * @param {string} id
 * @param {string} title
 * @param {import("./chart.js").Series[]} series
 * @param {{stacked?: boolean, unit?: string, digits: number}} form
 */
function show(id, title, series, { digits, ...form }) {
  const texts = series.map(({ name, values }) => {
    const latest = values.at(-1) ?? null;
    return latest === null ? name : `${name} ${latest.toFixed(digits)}${form.unit ?? ""}`;
  });
  const legend = byId(`${id}-legend`);
  refill(legend, texts, () =>
    series.map(({ colour }, index) => {
      const item = make("li");
      item.append(swatch(colour), texts[index]);
      return item;
    }),
  );
  // The lines have the colours that the legend has in the theme of the moment.
  const shown = itemsOf(legend).map((item) => getComputedStyle(find(item, ".swatch")).backgroundColor);
  const canvas = byId(`${id}-chart`, HTMLCanvasElement);
  drawChart(canvas, series.map((s, index) => ({ ...s, colour: shown[index] })), form);
  canvas.setAttribute("aria-label", `${title} over the last minutes; now ${texts.join(", ") || "nothing"}`);
}
