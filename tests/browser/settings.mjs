// A threshold is changed on the page, and holds for the very next scenes; a camera is switched off and on.

import { accessible, boxesDrawn, run, shot, url } from "./harness.mjs";

await run(async (page) => {
  await page.goto(url);
  await boxesDrawn(page, "front");
  await page.waitForFunction(labelled, { camera: "front", words: "bicycle" });
  await page.click('#cameras [data-camera="front"] summary');
  const score = page.locator('#cameras [data-camera="front"] input[type=range]').first();
  await score.fill("0.6"); // above the bicycle's score, below the dog's
  await page.waitForSelector('#cameras [data-camera="front"] [role=status]:has-text("Applied")');
  await page.waitForFunction(lacking, { camera: "front", words: "bicycle" });
  await page.waitForFunction(labelled, { camera: "front", words: "dog" });
  await page.waitForFunction(labelled, { camera: "yard", words: "bicycle" });
  await shot(page, "settings");
  await accessible(page);

  await page.uncheck('#cameras [data-camera="front"] input[type=checkbox]');
  await page.waitForFunction(() => /Switched off/.test(document.querySelector('.tile[data-camera="front"] .overlay').textContent));
  await shot(page, "switched-off");
  await page.check('#cameras [data-camera="front"] input[type=checkbox]');
  await page.waitForSelector('.tile[data-camera="front"] .overlay', { state: "hidden" });
  await boxesDrawn(page, "front");
});

/** In the page: whether a camera's picture is said to show something. */
function labelled({ camera, words }) {
  return document.querySelector(`.tile[data-camera="${camera}"] canvas`).getAttribute("aria-label").includes(words);
}

function lacking({ camera, words }) {
  return !document.querySelector(`.tile[data-camera="${camera}"] canvas`).getAttribute("aria-label").includes(words);
}
