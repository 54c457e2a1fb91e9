// Drives Debian's Chromium by playwright-core. Started by tests/it/browser.rs with the address of a daemon.
//
//   node SCENARIO.mjs URL MODULES SCREENSHOTS
//
// A scenario asks the test that started it to do something to the daemon by a line `do: WORDS` on its standard
// output, and goes on when a line comes back.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

export const [url, modules, screenshots] = process.argv.slice(2);
const require = createRequire(join(modules, "node_modules", "x.js"));
const { chromium } = require("playwright-core");

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Has the daemon's side do something. */
export async function ask(words) {
  console.log(`do: ${words}`);
  const { value, done } = await answers.next();
  assert(!done, `no answer to ${words}`);
  return value;
}

/**
 * Opens a page, runs `scenario(page)`, and checks that nothing was fetched from hosts other than that of the URL
 * `origin`, and that the console has no error but those that `expected` matches.
 */
export async function run(scenario, { expected = /$^/, origin = url, ...options } = {}) {
  const profile = mkdtempSync(join(tmpdir(), "sightd-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: "/usr/bin/chromium",
    headless: true,
    viewport: { width: 1440, height: 900 },
    colorScheme: "light",
    args: [
      "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync",
    ],
    ...options,
  });
  const faults = [];
  const { host } = new URL(origin);
  context.on("request", (request) => {
    const target = new URL(request.url());
    if (!["data:", "blob:"].includes(target.protocol) && target.host !== host) faults.push(`fetched ${target}`);
  });
  context.on("weberror", (error) => faults.push(`page error: ${error.error()}`));
  context.on("console", (message) => {
    if (message.type() === "error" && !expected.test(message.text())) faults.push(`console: ${message.text()}`);
  });
  try {
    const page = context.pages()[0] ?? (await context.newPage());
    page.setDefaultTimeout(60_000);
    await scenario(page, context);
    assert.deepEqual(faults, []);
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
  process.exit(0);
}

/** Saves what the page shows, for people to check. */
export async function shot(page, name, options = {}) {
  await page.screenshot({ path: join(screenshots, `${name}.png`), ...options });
}

/** Runs axe-core; fails on every serious or critical finding. */
export async function accessible(page) {
  const source = require("node:fs").readFileSync(join(modules, "node_modules/axe-core/axe.min.js"), "utf8");
  await page.evaluate(source);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const findings = violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" | ")}`);
  assert.deepEqual(findings, []);
}

/** Waits until boxes are drawn over a camera's picture. */
export async function boxesDrawn(page, camera) {
  await page.waitForFunction(
    (name) => /[1-9]\d* person/.test(document.querySelector(`[data-camera="${name}"] canvas`)?.getAttribute("aria-label")),
    camera,
  );
}

/** Waits until a camera's live pictures come as `kind`: "H.264" or "JPEG". */
export async function plays(page, camera, kind) {
  await page.waitForFunction(
    ([name, words]) => document.querySelector(`.tile[data-camera="${name}"] .numbers`)?.textContent.includes(words),
    [camera, kind],
  );
}

/** Whether a camera's picture differs from itself half a second later. */
export async function moves(page, camera) {
  const sample = () => page.locator(`[data-camera="${camera}"] canvas`).evaluate((canvas) => canvas.toDataURL());
  const before = await sample();
  await page.waitForTimeout(500);
  return before !== (await sample());
}
