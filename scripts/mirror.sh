#!/usr/bin/env bash
# mirror.sh: prints the address of a Debian mirror: SIGHTD_DEBIAN_MIRROR, else the one that this machine's apt uses.
set -euo pipefail
fields=('Created-By: Packages' 'Origin: Debian' 'Label: Debian')
mirror=${SIGHTD_DEBIAN_MIRROR:-$(apt-get indextargets --format "\$(REPO_URI)" "${fields[@]}" | head -1)}
[ -n "$mirror" ] || { echo "mirror: apt knows no Debian mirror here: set SIGHTD_DEBIAN_MIRROR to one" >&2; exit 1; }
echo "$mirror"
