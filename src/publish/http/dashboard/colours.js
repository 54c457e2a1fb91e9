// One colour for each class, the same on every camera and after every visit.

/** Hues of neighbouring numbers are far apart (the golden angle), and so is the brightness of those of equal hue. */
const colour = (number) => `oklch(${88 - (number % 3) * 9}% 0.15 ${Math.round((number * 137.508 + 40) % 360)})`;
const known = new Map();

/** The colour of a detection's class; each reads well on dark and on bright pictures. */
export function colourOf({ label, class_id }) {
  if (!known.has(label)) known.set(label, colour(class_id));
  return known.get(label);
}

/** The colour of a class that was seen before. */
export const knownColour = (label) => known.get(label) ?? colour(0);

/** The colour of the `index`-th of some other things. */
export const colourAt = (index) => colour(index + 60);
