// The classes that were detected: how many are in view, the best score, and which are shown.

import { knownColour } from "./colours.js";
import { byId, find, itemsOf, make, setText, swatch } from "./dom.js";

/** @typedef {{count: number, best: number}} InView how many are in view, and the best score of them */

/**
 * @param {Map<string, InView>} seen by label; a count of 0 for classes that are out of view
 * @param {Set<string>} hidden
 * @param {(label: string) => void} toggle
 */
export function showClasses(seen, hidden, toggle) {
  const labels = [...seen.keys()].sort();
  const list = byId("labels");
  if (list.dataset.key !== labels.join()) {
    const focused = list.contains(document.activeElement) && find(document, ":focus").dataset.label;
    list.dataset.key = labels.join();
    list.replaceChildren(...labels.map((label) => row(label, toggle)));
    if (focused) itemsOf(list).map(buttonOf).find(({ dataset }) => dataset.label === focused)?.focus();
  }
  for (const item of itemsOf(list)) {
    const button = buttonOf(item);
    const label = button.dataset.label ?? "";
    refresh(button, seen.get(label) ?? { count: 0, best: 0 }, hidden.has(label));
  }
  const all = [...seen].reduce((sum, [label, { count }]) => sum + (hidden.has(label) ? 0 : count), 0);
  setText(byId("view-count"), seen.size ? String(all) : "");
  byId("view-empty").hidden = seen.size > 0;
}

/** @param {HTMLElement} item */
const buttonOf = (item) => find(item, "button", HTMLButtonElement);

/** @param {string} label @param {(label: string) => void} toggle */
function row(label, toggle) {
  const button = make("button");
  button.type = "button";
  button.dataset.label = label;
  const meter = make("meter");
  meter.setAttribute("aria-label", `Best score of ${label}`);
  button.append(swatch(knownColour(label)), make("span", "name", label), meter, make("span", "number"));
  button.addEventListener("click", () => toggle(label));
  const item = make("li");
  item.append(button);
  return item;
}

/** @param {HTMLButtonElement} button @param {InView} inView @param {boolean} isHidden */
function refresh(button, { count, best }, isHidden) {
  button.setAttribute("aria-pressed", String(!isHidden));
  button.classList.toggle("absent", count === 0);
  find(button, "meter", HTMLMeterElement).value = best;
  setText(find(button, ".number"), isHidden ? "hidden" : String(count));
}
