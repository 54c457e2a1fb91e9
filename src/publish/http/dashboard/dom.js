// Small helpers for the page's elements.

/** @import { CameraState, ProviderState } from "./types.js" */

/**
 * The page's element `id`; throws if there is none or if it is not of the class `type`.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @param {new () => T} type
 */
export function byId(id, type = /** @type {new () => T} */ (HTMLElement)) {
  return checked(document.getElementById(id), `#${id}`, type);
}

/**
 * The first element in `root` that matches; throws if there is none or if it is not of the class `type`.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} type
 */
export function find(root, selector, type = /** @type {new () => T} */ (HTMLElement)) {
  return checked(root.querySelector(selector), selector, type);
}

/**
 * @template {HTMLElement} T
 * @param {Element|null} element
 * @param {string} name for the error
 * @param {new () => T} type
 */
function checked(element, name, type) {
  if (!(element instanceof type)) throw new TypeError(`The page has no ${type.name} ${name}`);
  return element;
}

/** The HTML elements directly in `list`. @param {HTMLElement} list */
export const itemsOf = (list) => [...list.children].filter((child) => child instanceof HTMLElement);

/** What draws on a canvas. @param {HTMLCanvasElement} canvas */
export function contextOf(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser cannot draw on a canvas.");
  return context;
}

/** What went wrong, in words. @param {unknown} error */
export const wordsOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * Sets an element's text only if it differs: screen readers announce each change.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A new element.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {string} [className]
 * @param {string} [text]
 */
export function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** A small square of a class's colour. @param {string} colour */
export function swatch(colour) {
  const square = make("span", "swatch");
  square.style.setProperty("--colour", colour);
  square.setAttribute("aria-hidden", "true");
  return square;
}

/** @type {Record<string, string>} */
const TONES = { running: "good", active: "good", failed: "bad", stalled: "bad", stuck: "bad", disabled: "off", unavailable: "off" };

/** A state as a coloured word. @param {CameraState|ProviderState} state */
export function tag(state) {
  const element = make("span", "tag", state);
  element.dataset.tone = TONES[state] ?? "warn";
  return element;
}

/**
 * Replaces a list's items, unless what it shows is the same as before: selection and focus are kept.
 * @param {HTMLElement} list
 * @param {unknown} shown the data that the items show
 * @param {() => Node[]} items
 */
export function refill(list, shown, items) {
  const key = JSON.stringify(shown);
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...items());
}
