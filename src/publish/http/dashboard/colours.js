// One colour for each class, the same everywhere; each reads well on dark and on bright pictures.

const PALETTE = ["#5eead4", "#fbbf24", "#f472b6", "#60a5fa", "#a3e635", "#fb923c", "#c084fc", "#f87171", "#22d3ee", "#facc15"];
const known = new Map();

/** The colour of a detection's class: neighbours in the model's list differ. */
export function colourOf({ label, class_id }) {
  if (!known.has(label)) known.set(label, PALETTE[class_id % PALETTE.length]);
  return known.get(label);
}

/** The colour of a class that was seen before. */
export const knownColour = (label) => known.get(label) ?? PALETTE[0];

/** A small square of the colour. */
export function swatch(colour) {
  const square = document.createElement("span");
  square.className = "swatch";
  square.style.background = colour;
  square.setAttribute("aria-hidden", "true");
  return square;
}
