#!/usr/bin/env bash
# types.sh: checks the types that the page's modules declare in comments (JSDoc), with the TypeScript compiler that
# set-up unpacks for the tests. Creates no files.
set -euo pipefail
cd "$(dirname "$0")/.."
page=src/publish/http/dashboard

fail() { echo "types: $*" >&2; exit 1; }
if grep -nE "@ts-(ignore|nocheck|expect-error)|\{(any|\*)\}" "$page"/*.js; then
  fail "these lines switch the check off"
fi
node .sightd/grafana/node_modules/typescript/lib/tsc.js --project "$page" --pretty false
