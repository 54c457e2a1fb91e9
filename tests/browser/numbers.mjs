// Reads what is drawn of pictures that show their frame's number (src/source/counter.rs): the number from the blocks
// along the lower edge, and the left edge of the box from its colour, which no picture has.

/**
 * In the page: reads number and box from a camera's canvas, picture after picture.
 * @param {{camera: string, frames: number}} what
 * @returns {Promise<{number: number, want: number, found: number}[]>} the box's left edge, as it should be and as it is
 */
export function watch({ camera, frames }) {
  const canvas = document.querySelector(`[data-camera="${camera}"] canvas`);
  const seen = [];
  let last = -1;
  return new Promise((resolve) => {
    const sample = () => {
      const context = canvas.getContext("2d");
      const { width, height } = canvas;
      const grey = (x, y) => context.getImageData(Math.round(x * width), Math.round(y * height), 1, 1).data[1];
      let number = 0;
      for (let bit = 0; bit < 16; bit++) number |= (grey((bit + 0.5) / 16, 15 / 16) > 128 ? 1 : 0) << bit;
      if (number !== last) {
        last = number;
        const row = context.getImageData(0, Math.round(0.5 * height), width, 1).data;
        let found = -1;
        for (let x = 0; x < width && found < 0; x++) {
          const rgb = [row[4 * x], row[4 * x + 1], row[4 * x + 2]];
          if (Math.max(...rgb) - Math.min(...rgb) > 70) found = x / width;
        }
        seen.push({ number, want: 0.05 + 0.6 * ((number % 128) / 128), found });
      }
      if (seen.length < frames) requestAnimationFrame(sample);
      else resolve(seen);
    };
    sample();
  });
}

/** Those of `seen` whose box is not where the number puts it. */
export const wrong = (seen) => seen.filter(({ want, found }) => Math.abs(want - found) > 0.006);
