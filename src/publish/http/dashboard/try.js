// Detection in a picture file that the person chooses.

import { problemOf } from "./api.js";
import { byId, contextOf, setText, wordsOf } from "./dom.js";
import { drawOver, inWords } from "./draw.js";

/** @import { DetectAnswer } from "./types.js" */

const KINDS = ["image/jpeg", "image/png"];

/** Accepts pictures that are dropped, pasted or chosen. */
export function takePictures() {
  const place = byId("try");
  /** @param {boolean} is @returns {(event: Event) => void} */
  const over = (is) => (event) => {
    event.preventDefault();
    place.toggleAttribute("data-over", is);
  };
  place.addEventListener("dragover", over(true));
  place.addEventListener("dragleave", over(false));
  place.addEventListener("drop", (event) => {
    over(false)(event);
    take(event.dataTransfer?.files);
  });
  const input = byId("try-file", HTMLInputElement);
  input.addEventListener("change", () => take(input.files));
  addEventListener("paste", (event) => {
    if (event.clipboardData?.files.length) take(event.clipboardData.files);
  });
}

/** @param {FileList|null|undefined} files */
async function take(files) {
  const file = [...(files ?? [])].find(({ type }) => KINDS.includes(type));
  if (!file) return say("This is not a JPEG or PNG file.");
  say("Detecting objects …");
  try {
    const response = await fetch("detect", { method: "POST", headers: { "content-type": file.type }, body: file });
    if (!response.ok) return say(await problemOf(response));
    show(await createImageBitmap(file), await response.json());
  } catch (error) {
    say(`Detection failed: ${wordsOf(error)}`);
  }
}

/** @param {ImageBitmap} bitmap @param {DetectAnswer} answer as POST /detect gives it */
function show(bitmap, { detections, timings_ms: timings }) {
  const canvas = byId("try-picture", HTMLCanvasElement);
  canvas.hidden = false;
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round((canvas.width * bitmap.height) / bitmap.width);
  const context = contextOf(canvas);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  drawOver(context, detections, ratio);
  const found = inWords(detections) || "nothing";
  canvas.setAttribute("aria-label", `Your picture: ${found}`);
  say(`Found ${found}, in ${timings.infer.toFixed(1)} ms.`);
}

/** @param {string} text */
function say(text) {
  setText(byId("try-state"), text);
}
