#!/usr/bin/env bash
# licences.sh TARGET: prints the name, version and licence of every Rust library linked into sightd for TARGET (a
# triple), and the full texts of their licences, each once, with the libraries that it applies to.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# = 1 ] || { echo "licences: usage: licences.sh TARGET" >&2; exit 1; }
cargo metadata --format-version 1 --locked --filter-platform "$1" | python3 -c '
import collections, json, pathlib, sys

metadata = json.load(sys.stdin)
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
root = metadata["resolve"]["root"]

# What is linked: normal dependencies, without build and test dependencies. Procedural macros are included, though they
# are not linked; listing them does no harm.
linked, to_visit = set(), [root]
while to_visit:
    node = to_visit.pop()
    if node in linked:
        continue
    linked.add(node)
    to_visit += [d["pkg"] for d in nodes[node]["deps"] if any(kind["kind"] is None for kind in d["dep_kinds"])]
linked.discard(root)

texts = collections.defaultdict(list)
print("sightd contains these Rust libraries:\n")
for package in sorted((packages[id] for id in linked), key=lambda package: (package["name"], package["version"])):
    name = package["name"] + " " + package["version"]
    folder = pathlib.Path(package["manifest_path"]).parent
    starts = ("LICEN", "COPYING", "NOTICE", "UNLICENSE")
    files = [f for f in sorted(folder.iterdir()) if f.is_file() and f.name.upper().startswith(starts)]
    licence = package["license"] or (package["license_file"] and "see its text below")
    if not licence and not files:
        sys.exit(f"licences: {name} does not state its licence")
    print(f"  {name}: {licence}; " + ", ".join(package["authors"] or [package["repository"] or "no authors named"]))
    for file in files:
        texts[file.read_text(errors="replace").strip()].append(name)
print("\nTheir licence texts:")
for text, names in texts.items():
    print("\n" + "-" * 100 + "\n" + ", ".join(names) + "\n\n" + text)
'
