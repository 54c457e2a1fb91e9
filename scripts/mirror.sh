#!/usr/bin/env bash
# mirror.sh: prints the URL of a Debian mirror: SIGHTD_DEBIAN_MIRROR, else the one that this machine's apt uses.
set -euo pipefail
fields=('Created-By: Packages' 'Origin: Debian' 'Label: Debian')
mirror=${SIGHTD_DEBIAN_MIRROR:-$(apt-get indextargets --format "\$(REPO_URI)" "${fields[@]}" | head -1)}
[ -n "$mirror" ] || { echo "mirror: no Debian mirror in the apt sources: set SIGHTD_DEBIAN_MIRROR" >&2; exit 1; }
echo "$mirror"
