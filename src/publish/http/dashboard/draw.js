// What is drawn over a picture. Each kind of thing is one layer; a later layer lies over those before.

import { colourOf } from "./colours.js";

/** @import { Detection } from "./types.js" */

/** On a narrower picture only the boxes are drawn: labels would cover it. */
const NARROW_PX = 260;
const LAYERS = [drawBoxes];

/**
 * Draws all that belongs to `detections` over the picture in `context`.
 * @param {CanvasRenderingContext2D} context
 * @param {Detection[]} detections by falling score
 * @param {number} ratio device pixels per CSS pixel
 */
export function drawOver(context, detections, ratio) {
  for (const layer of LAYERS) layer(context, detections, ratio);
}

/** For example "2 person, 1 dog". @param {Detection[]} detections */
export function inWords(detections) {
  const counts = new Map();
  for (const { label } of detections) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].map(([label, count]) => `${count} ${label}`).join(", ");
}

/** @param {CanvasRenderingContext2D} context @param {Detection[]} detections @param {number} ratio */
function drawBoxes(context, detections, ratio) {
  for (const detection of detections.toReversed()) drawBox(context, detection, ratio); // the best on top
}

/** @param {CanvasRenderingContext2D} context @param {Detection} detection @param {number} ratio */
function drawBox(context, detection, ratio) {
  const { width, height } = context.canvas;
  const { box } = detection;
  /** @type {[number, number, number, number]} */
  const place = [box.x * width, box.y * height, box.w * width, box.h * height];
  const line = 2.2 * ratio;
  context.lineJoin = "round";
  context.strokeStyle = "rgb(0 0 0 / 55%)";
  context.lineWidth = line + 2 * ratio;
  context.strokeRect(...place);
  context.strokeStyle = colourOf(detection);
  context.lineWidth = line;
  context.strokeRect(...place);
  if (width / ratio >= NARROW_PX) drawLabel(context, detection, place, ratio);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Detection} detection
 * @param {[number, number, number, number]} place of its box, in pixels
 * @param {number} ratio
 */
function drawLabel(context, detection, [x, y], ratio) {
  const { width, height } = context.canvas;
  const { label, score, track_id } = detection;
  const id = track_id === undefined ? "" : ` #${track_id}`;
  const text = `${label}${id} ${Math.round(score * 100)}%`;
  const size = Math.max(11, Math.min(15, width / ratio / 60)) * ratio;
  context.font = `600 ${size}px system-ui, sans-serif`;
  const labelWidth = context.measureText(text).width + size * 0.8;
  const labelHeight = size * 1.45;
  const left = Math.max(0, Math.min(x - 1.1 * ratio, width - labelWidth));
  const top = y > labelHeight ? y - labelHeight : Math.min(y, height - labelHeight);
  context.fillStyle = colourOf(detection);
  context.beginPath();
  context.roundRect(left, top, labelWidth, labelHeight, size * 0.25);
  context.fill();
  context.fillStyle = "#0b1018";
  context.textBaseline = "middle";
  context.fillText(text, left + size * 0.4, top + labelHeight / 2);
}
