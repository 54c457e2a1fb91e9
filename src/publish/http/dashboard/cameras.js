// The cameras: their states, and for admins their settings.

import { byId, find, itemsOf, make, refill, tag } from "./dom.js";
import { settingsOf } from "./settings.js";

/** @import { Camera } from "./types.js" */

/**
 * Cameras, their states and last errors.
 * @param {Camera[]} cameras as GET /cameras gives them
 * @param {"read"|"admin"} role what the person may do
 */
export function showCameras(cameras, role) {
  const list = byId("cameras");
  for (const item of itemsOf(list)) {
    if (!cameras.some(({ name }) => name === item.dataset.camera)) item.remove();
  }
  for (const camera of cameras) {
    let item = itemsOf(list).find(({ dataset }) => dataset.camera === camera.name);
    if (!item) {
      item = make("li");
      item.dataset.camera = camera.name;
      item.append(make("div", "state"));
      list.append(item);
    }
    if (role === "admin" && !item.querySelector(".settings")) item.append(settingsOf(camera.name));
    refill(find(item, ".state"), [camera.state, camera.source, camera.restarts, camera.last_error, camera.fps.toFixed(1)], () => state(camera));
  }
}

/** @param {Camera} camera */
function state(camera) {
  const rate = camera.state === "running" ? ` · ${camera.fps.toFixed(1)} frames/s` : "";
  const restarts = camera.restarts ? `, ${camera.restarts} restart${camera.restarts > 1 ? "s" : ""}` : "";
  const parts = [
    make("span", "strong", camera.name),
    tag(camera.state),
    make("span", "more", `${camera.source}${rate}${restarts}`),
  ];
  if (camera.last_error) parts.push(make("span", "fault", camera.last_error));
  return parts;
}
