// The daemon as `make run` starts it, on real footage and the real network: the picture moves, and people are boxed.

import assert from "node:assert/strict";
import { boxesDrawn, moves, run, shot, url } from "./harness.mjs";

await run(async (page) => {
  await page.goto(url);
  await boxesDrawn(page, "default");
  assert(await moves(page, "default"), "the live picture does not move");
  await shot(page, "footage");
});
