// The try-it panel: objects are detected in a dropped picture, and a file that is not a picture is refused in words.

import assert from "node:assert/strict";
import { accessible, boxesDrawn, run, shot, url } from "./harness.mjs";

await run(async (page) => {
  await page.goto(url);
  await boxesDrawn(page, "front");
  await page.evaluate(drop, { path: "cameras/front/snapshot.jpg", name: "yard.jpg", type: "image/jpeg" });
  await page.waitForFunction(() => /person/.test(document.querySelector("#try-picture").getAttribute("aria-label")));
  assert.match(await page.textContent("#try-state"), /Found 1 person, 1 dog, 1 bicycle, in \d+\.\d ms\./);
  await page.locator("#try").scrollIntoViewIfNeeded();
  await shot(page, "try");
  await accessible(page);

  await page.evaluate(drop, { path: "version", name: "version.json", type: "application/json" });
  await page.waitForFunction(() => /not a JPEG or PNG/.test(document.querySelector("#try-state").textContent));
});

/** In the page: fetches a file and drops it. */
async function drop({ path, name, type }) {
  const file = new File([await (await fetch(path)).blob()], name, { type });
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(file);
  document.querySelector("#try").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}
