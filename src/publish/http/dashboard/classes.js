// The classes that were seen: how many are in view, how sure the model is, and which are shown.

import { knownColour } from "./colours.js";
import { byId, make, setText, swatch } from "./dom.js";

/**
 * @param {Map<string, {count: number, best: number}>} seen by label; a count of 0 for what is out of view
 * @param {Set<string>} hidden
 * @param {(label: string) => void} toggle
 */
export function showClasses(seen, hidden, toggle) {
  const labels = [...seen.keys()].sort();
  const list = byId("labels");
  if (list.dataset.key !== labels.join()) {
    const focused = document.activeElement?.dataset?.label;
    list.dataset.key = labels.join();
    list.replaceChildren(...labels.map((label) => row(label, toggle)));
    if (focused) list.querySelector(`[data-label="${CSS.escape(focused)}"]`)?.focus();
  }
  labels.forEach((label, index) => refresh(list.children[index].firstChild, seen.get(label), hidden.has(label)));
  const all = [...seen].reduce((sum, [label, { count }]) => sum + (hidden.has(label) ? 0 : count), 0);
  setText(byId("view-count"), seen.size ? String(all) : "");
  byId("view-empty").hidden = seen.size > 0;
}

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

function refresh(button, { count, best }, isHidden) {
  button.setAttribute("aria-pressed", String(!isHidden));
  button.classList.toggle("absent", count === 0);
  button.querySelector("meter").value = best;
  setText(button.querySelector(".number"), isHidden ? "hidden" : String(count));
}
