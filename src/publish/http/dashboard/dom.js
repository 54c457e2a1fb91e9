// Small helpers for the page's elements.

/** @param {string} id */
export const byId = (id) => document.getElementById(id);

/** Sets an element's text only if it differs, so that screen readers stay calm. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A new element.
 * @param {string} tag
 * @param {string} [className]
 * @param {string} [text]
 */
export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** A small square of a class's colour. */
export function swatch(colour) {
  const square = make("span", "swatch");
  square.style.setProperty("--colour", colour);
  square.setAttribute("aria-hidden", "true");
  return square;
}

const TONES = { running: "good", active: "good", failed: "bad", stalled: "bad", stuck: "bad", disabled: "off", unavailable: "off" };

/** A state as a coloured word. */
export function tag(state) {
  const element = make("span", "tag", state);
  element.dataset.tone = TONES[state] ?? "warn";
  return element;
}

/**
 * Replaces a list's items, unless what it shows is the same as before: what is selected or focused stays so.
 * @param {HTMLElement} list
 * @param {any} shown what the items are made of
 * @param {() => HTMLElement[]} items
 */
export function refill(list, shown, items) {
  const key = JSON.stringify(shown);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...items());
}
