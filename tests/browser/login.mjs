// Where a token is needed, the page asks for it, and a wrong one is refused.

import assert from "node:assert/strict";
import { accessible, boxesDrawn, run, shot, url } from "./harness.mjs";

await run(async (page) => {
  await page.goto(url);
  assert.equal(new URL(page.url()).pathname, new URL("login", url).pathname);
  await shot(page, "login");
  await accessible(page);
  await page.fill("#token", "not-the-token-0123456789");
  await page.keyboard.press("Enter");
  await page.waitForSelector('[role="alert"]');
  await page.emulateMedia({ colorScheme: "dark" });
  await shot(page, "login-refused");
  await accessible(page);
  await page.fill("#token", "read-token-0123456789");
  await page.keyboard.press("Enter");
  await boxesDrawn(page, "front");
  assert(await page.isHidden("#log-card"), "the log is for admins");
  await page.click("#logout button");
  await page.waitForSelector("#token");
});
