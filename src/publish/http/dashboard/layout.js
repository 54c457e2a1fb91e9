// How many pictures are shown side by side.

import { byId } from "./dom.js";

/** Pictures are not made narrower than this. */
const NARROWEST_PX = 290;
/** Height of the line below a picture. */
const FOOT_PX = 44;

/**
 * The fewest columns with which all pictures fit on the screen: the fewer, the larger they are.
 * @param {number} count how many pictures
 * @param {{width: number, height: number}} room in CSS pixels
 */
export function columnsFor(count, { width, height }) {
  const maxColumns = Math.max(1, Math.min(count, Math.floor(width / NARROWEST_PX)));
  for (let columns = 1; columns < maxColumns; columns++) {
    const rowHeight = ((width / columns) * 9) / 16 + FOOT_PX;
    if (Math.ceil(count / columns) * rowHeight <= height) return columns;
  }
  return maxColumns;
}

/** Keeps the columns right while the window's size and the number of pictures change. */
export function keepColumns() {
  const tiles = byId("tiles");
  const set = () => {
    const height = innerHeight - tiles.getBoundingClientRect().top - scrollY;
    const columns = columnsFor(tiles.children.length, { width: tiles.clientWidth, height });
    tiles.style.setProperty("--columns", String(columns));
  };
  new ResizeObserver(set).observe(tiles);
  new MutationObserver(set).observe(tiles, { childList: true });
  addEventListener("resize", set);
}
