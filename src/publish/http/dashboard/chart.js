// Lines and stacked areas over time, on a canvas, in the page's colours.

import { contextOf } from "./dom.js";
import { STEP_MS, STEPS } from "./history.js";

/** Space above the highest line for its value, and below the lowest for the times. */
const TOP_PX = 16;
const BOTTOM_PX = 18;
/** A chart shows at least this much time, and more as the history grows. */
const SHORTEST_MS = 60_000;

/** @typedef {{name: string, colour: string, values: (number|null)[]}} Series oldest value first */
/** @typedef {{colour: string, to: (number|null)[]}} Line */
/** @typedef {{colour: string, from: number[], to: number[]}} Area between two lines */
/** @typedef {{x: (index: number, length: number) => number, y: (value: number) => number}} Frame in CSS pixels */

/**
 * @param {HTMLCanvasElement} canvas
 * @param {Series[]} series
 * @param {{stacked?: boolean, unit?: string, plain?: boolean}} [form] `plain`: nothing but the lines, for small charts
 */
export function drawChart(canvas, series, { stacked = false, unit = "", plain = false } = {}) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const context = contextOf(canvas);
  context.scale(ratio, ratio);
  const styles = getComputedStyle(canvas);
  const areas = stacked ? pile(series) : [];
  const lines = stacked ? [] : series.map(({ colour, values }) => ({ colour, to: values }));
  const layers = [...areas, ...lines];
  const low = plain ? lowest(layers) : 0;
  const high = plain ? Math.max(highest(layers), low + 1) : roundUp(highest(layers));
  const [over, under] = plain ? [3, 3] : [TOP_PX, BOTTOM_PX];
  const bottom = height - under;
  const minutes = Math.ceil(Math.max(SHORTEST_MS, (series[0]?.values.length ?? 0) * STEP_MS) / 60_000);
  const across = Math.min((minutes * 60_000) / STEP_MS, STEPS - 1) - 1;
  /** @type {Frame} */
  const frame = {
    x: (index, length) => width - 1 - ((length - 1 - index) / across) * (width - 2),
    y: (value) => bottom - ((value - low) / (high - low)) * (bottom - over),
  };
  if (!plain) grid(context, styles, { width, height, high, unit, minutes, y: frame.y });
  for (const layer of areas) area(context, layer, frame);
  for (const layer of lines) line(context, layer, frame);
}

/** The series on top of each other. @param {Series[]} series @returns {Area[]} */
function pile(series) {
  let from = series[0]?.values.map(() => 0) ?? [];
  return series.map((s) => {
    const to = s.values.map((value, index) => from[index] + (value ?? 0));
    const layer = { colour: s.colour, from, to };
    from = to;
    return layer;
  });
}

/** @param {Line[]} layers */
const values = (layers) => layers.flatMap((layer) => layer.to).filter((value) => value !== null);
/** @param {Line[]} layers */
const highest = (layers) => values(layers).reduce((a, b) => Math.max(a, b), 0);
/** @param {Line[]} layers */
const lowest = (layers) => values(layers).reduce((a, b) => Math.min(a, b), Infinity);

/** The next round number that is not below `value`. @param {number} value */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 3, 4, 6, 8].map((step) => step * power).find((step) => step >= value) ?? 10 * power;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {CSSStyleDeclaration} styles
 * @param {{width: number, height: number, high: number, unit: string, minutes: number, y: Frame["y"]}} chart
 */
function grid(context, styles, { width, height, high, unit, minutes, y }) {
  context.strokeStyle = styles.outlineColor;
  context.fillStyle = styles.color;
  context.lineWidth = 1;
  context.font = `11px ${styles.fontFamily}`;
  for (const part of [0, 0.5, 1]) {
    const at = Math.round(y(high * part)) + 0.5;
    context.beginPath();
    context.moveTo(0, at);
    context.lineTo(width, at);
    context.stroke();
  }
  context.fillText(`${high}${unit}`, 0, y(high) - 4);
  context.fillText(`${minutes} min ago`, 0, height - 3);
  context.textAlign = "right";
  context.fillText("now", width, height - 3);
  context.textAlign = "left";
}

/** @param {CanvasRenderingContext2D} context @param {Area} layer @param {Frame} frame */
function area(context, { colour, from, to }, { x, y }) {
  context.beginPath();
  for (let index = 0; index < to.length; index++) context.lineTo(x(index, to.length), y(to[index]));
  for (let index = to.length - 1; index >= 0; index--) context.lineTo(x(index, to.length), y(from[index]));
  context.fillStyle = colour;
  context.fill();
}

/** @param {CanvasRenderingContext2D} context @param {Line} layer @param {Frame} frame */
function line(context, { colour, to }, { x, y }) {
  context.beginPath();
  let down = false;
  to.forEach((value, index) => {
    if (value !== null && down) context.lineTo(x(index, to.length), y(value));
    else if (value !== null) context.moveTo(x(index, to.length), y(value));
    down = value !== null;
  });
  context.strokeStyle = colour;
  context.lineWidth = 1.75;
  context.lineJoin = "round";
  context.stroke();
}
