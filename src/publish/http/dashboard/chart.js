// Stacked areas and lines over time, on a canvas, in the page's own colours.

/**
 * Draws `series` (each `{colour, values}`, oldest first, `null` where nothing is known) into `canvas`.
 * @param {"stacked"|"lines"} kind
 */
export function drawChart(canvas, series, kind, unit) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (!width) return;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  const styles = getComputedStyle(canvas);
  const length = Math.max(2, ...series.map((s) => s.values.length));
  const top = ceiling(highest(series, kind, length));
  const x = (index) => (index / (length - 1)) * width;
  const y = (value) => height - 2 - (value / top) * (height - 18);

  context.strokeStyle = styles.outlineColor;
  context.lineWidth = 1;
  for (const part of [0, 0.5, 1]) {
    context.beginPath();
    context.moveTo(0, y(top * part) + 0.5);
    context.lineTo(width, y(top * part) + 0.5);
    context.stroke();
  }
  if (kind === "stacked") stack(context, series, length, x, y);
  else lines(context, series, x, y);

  context.fillStyle = styles.color;
  context.font = "11px system-ui, sans-serif";
  context.fillText(`${top}${unit}`, 0, 10);
}

function highest(series, kind, length) {
  let most = 0;
  for (let index = 0; index < length; index++) {
    const values = series.map((s) => s.values[index] ?? 0);
    most = Math.max(most, kind === "stacked" ? values.reduce((a, b) => a + b, 0) : Math.max(0, ...values));
  }
  return most;
}

/** The next of 1, 2, 5, 10, ... above `value`. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? 10 * power;
}

function stack(context, series, length, x, y) {
  const base = new Array(length).fill(0);
  for (const { colour, values } of series) {
    context.beginPath();
    for (let index = 0; index < length; index++) context.lineTo(x(index), y(base[index] + (values[index] ?? 0)));
    for (let index = length - 1; index >= 0; index--) context.lineTo(x(index), y(base[index]));
    context.fillStyle = colour;
    context.fill();
    for (let index = 0; index < length; index++) base[index] += values[index] ?? 0;
  }
}

function lines(context, series, x, y) {
  for (const { colour, values } of series) {
    context.beginPath();
    let pen = "moveTo";
    values.forEach((value, index) => {
      if (value === null) pen = "moveTo";
      else context[pen](x(index), y(value)), (pen = "lineTo");
    });
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.stroke();
  }
}
