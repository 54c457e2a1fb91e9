// The machine: temperature, power, memory, load, and what limits its speed.

import { drawChart } from "./chart.js";
import { byId, find, itemsOf, make, refill, setText } from "./dom.js";

/** @import { BoardStatus, SystemStatus } from "./types.js" */

const MEGA = 1024 ** 2;
const GIGA = 1024 ** 3;

/**
 * What is shown, where the machine has it: a name, the value of a reading, and how it is written.
 * @typedef {object} Gauge
 * @property {string} name
 * @property {string} colour
 * @property {(board: BoardStatus) => number|null|undefined} value
 * @property {(value: number) => string} write
 */

/** @type {Gauge[]} */
const GAUGES = [
  { name: "Temperature", colour: "#f87171", value: hottest, write: (celsius) => `${celsius.toFixed(0)} °C` },
  { name: "Power", colour: "#fbbf24", value: (board) => board.power?.watts, write: (watts) => `${watts.toFixed(1)} W` },
  { name: "Memory", colour: "#60a5fa", value: usedMemory, write: (bytes) => `${(bytes / GIGA).toFixed(1)} GB` },
  { name: "Memory of sightd", colour: "#34d399", value: (board) => board.process?.resident_bytes, write: (bytes) => `${Math.round(bytes / MEGA)} MB` },
  { name: "GPU", colour: "#a78bfa", value: (board) => board.gpu?.load, write: (load) => `${Math.round(load * 100)} %` },
];

const NOTES = {
  throttled: "Clock rates are reduced because of the temperature.",
  brown_out: "The supply voltage is too low: use a 5 V, 4 A power supply.",
  rate_lowered: "The frame rate is reduced to limit the board's temperature.",
};
const MODES = { maxn: "10 W mode", five_watt: "5 W mode", custom: "custom power mode" };

/** @param {BoardStatus} board */
function hottest({ thermal_zones: zones }) {
  return zones.length ? Math.max(...zones.map(({ celsius }) => celsius)) : undefined;
}

/** @param {BoardStatus} board */
function usedMemory({ memory }) {
  return memory ? memory.total_bytes - memory.available_bytes : undefined;
}

/**
 * Takes a reading of the machine into the history, and shows it.
 * @param {SystemStatus} system as GET /system gives it
 * @param {import("./history.js").History} history
 */
export function showMachine({ board, limit_fps: limit }, history) {
  byId("machine").hidden = !board;
  if (!board) return;
  const readings = GAUGES.flatMap((gauge) => {
    const now = gauge.value(board) ?? null;
    return now === null ? [] : [{ ...gauge, now }];
  });
  history.read(Object.fromEntries(readings.map(({ name, now }) => [name, now])));
  setText(byId("machine-name"), [board.model, board.power_mode && MODES[board.power_mode]].filter(Boolean).join(" · "));
  const notes = board.notes.map((note) => NOTES[note] ?? note);
  if (typeof limit === "number") notes.push(`At most ${limit.toFixed(1)} frames per second are processed.`);
  refill(byId("machine-notes"), notes, () => notes.map((note) => make("li", "remark", note)));
  const box = byId("gauges");
  refill(box, readings.map(({ name }) => name), () => readings.map(gauge));
  const items = itemsOf(box);
  readings.forEach(({ name, colour, now, write }, index) => {
    const canvas = find(items[index], "canvas", HTMLCanvasElement);
    setText(find(items[index], "strong"), write(now));
    drawChart(canvas, [{ name, colour, values: history.reading(name) }], { plain: true });
    canvas.setAttribute("aria-label", `${name} over the last minutes; now ${write(now)}`);
  });
}

/** @param {Gauge} reading */
function gauge({ name }) {
  const element = make("div", "gauge");
  const canvas = make("canvas");
  canvas.setAttribute("role", "img");
  element.append(make("span", "quiet", name), make("strong"), canvas);
  return element;
}
