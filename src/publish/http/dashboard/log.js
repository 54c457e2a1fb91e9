// The tail of the daemon's log, read while it is open.

import { getJson } from "./api.js";
import { byId, make } from "./dom.js";

/** @import { LogLine } from "./types.js" */

const EVERY_MS = 2000;
const MAX_LINES = 500;

/** Follows the log while its card is open and the page is visible. */
export function followLog() {
  byId("log-card").hidden = false;
  const details = byId("log", HTMLDetailsElement);
  let since = 0;
  /** @type {number|undefined} */
  let timer;
  const read = async () => {
    clearTimeout(timer);
    if (!details.open) return;
    if (!document.hidden) {
      const { lines, last } = await getJson("logs", `?since=${since}`).catch(() => ({ lines: [], last: since }));
      // A lower number than before: the daemon was restarted and counts from the start again.
      since = last < since ? 0 : last;
      append(lines);
    }
    timer = setTimeout(read, EVERY_MS);
  };
  details.addEventListener("toggle", read);
}

/** Adds lines below, and scrolls to the end if the end was visible. @param {LogLine[]} lines */
function append(lines) {
  const list = byId("log-lines");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  list.append(...lines.map(entry));
  while (list.children.length > MAX_LINES) list.firstElementChild?.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

/** @param {LogLine} line */
function entry({ at, level, message }) {
  const item = make("li");
  item.dataset.level = level;
  const time = make("time", "", new Date(at).toLocaleTimeString());
  time.dateTime = at;
  item.append(time, make("span", "level", level), make("span", "", message));
  return item;
}
