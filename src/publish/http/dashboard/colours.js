// One colour for each class, the same on every camera and at every visit.

/** @import { Detection } from "./types.js" */

/**
 * Hues of neighbouring numbers are far apart (the golden angle), and so is the brightness of those of equal hue.
 * @param {number} number
 */
const colour = (number) => `oklch(${88 - (number % 3) * 9}% 0.15 ${Math.round((number * 137.508 + 40) % 360)})`;
/** @type {Map<string, string>} */
const known = new Map();

/** The colour of a detection's class; each reads well on dark and on bright pictures. @param {Detection} detection */
export function colourOf({ label, class_id }) {
  const its = known.get(label) ?? colour(class_id);
  known.set(label, its);
  return its;
}

/** The colour of a class that was detected before. @param {string} label */
export const knownColour = (label) => known.get(label) ?? colour(0);

/** The colour of the `index`-th of some other things. @param {number} index */
export const colourAt = (index) => colour(index + 60);
