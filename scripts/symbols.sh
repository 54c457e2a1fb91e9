#!/usr/bin/env bash
# symbols.sh BINARY SYMBOLS_DIR: fails if BINARY needs newer libraries than those of stock JetPack 4.6: glibc 2.27,
# GStreamer 1.14, GLib 2.56. SYMBOLS_DIR holds Debian's .symbols files, which list the version that introduced each
# symbol.
set -euo pipefail
glibc=2.27 gstreamer=1.14.0 glib=2.56.0

fail() { echo "symbols: $*" >&2; exit 1; }
[ $# = 2 ] && [ -f "$1" ] && [ -d "$2" ] || fail "usage: symbols.sh BINARY SYMBOLS_DIR"
binary=$1
undefined=$(readelf --dyn-syms --wide "$binary" | awk '$7 == "UND" && NF >= 8 {print $8}')
[ -n "$undefined" ] || fail "$binary needs no symbol at all: that is not a build of sightd"
bad=()

newest_glibc=$(grep -o 'GLIBC_[0-9.]*' <<<"$undefined" | sort -uV | tail -1)
if dpkg --compare-versions "${newest_glibc#GLIBC_}" gt "$glibc"; then
  while read -r symbol; do
    bad+=("$symbol: glibc $glibc is the newest on the board")
  done < <(grep "@$newest_glibc\$" <<<"$undefined")
fi

libraries=0
while read -r symbol; do
  since=$(awk -v want="$symbol@Base" '$1 == want {print $2; exit}' "$2"/*.symbols)
  [ -n "$since" ] || { bad+=("$symbol: no package of the sysroot has it"); continue; }
  case $symbol in gst_*) allowed=$gstreamer ;; *) allowed=$glib ;; esac
  if dpkg --compare-versions "$since" gt "$allowed"; then bad+=("$symbol: came with $since, the board has $allowed"); fi
  libraries=$((libraries + 1))
done < <(grep -E '^(gst|g)_' <<<"$undefined")
[ "$libraries" -gt 0 ] || fail "$binary needs no GStreamer symbol: that is not a build of sightd"

# All other linked libraries must exist on the board too.
for library in $(readelf --dynamic "$binary" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'); do
  case $library in
    libc.so.6 | libm.so.6 | libdl.so.2 | libpthread.so.0 | librt.so.1 | libgcc_s.so.1 | ld-linux-aarch64.so.1) ;;
    libglib-2.0.so.0 | libgobject-2.0.so.0 | libgio-2.0.so.0 | libgst*-1.0.so.0) ;;
    *) bad+=("$library: not a library that the package asks for") ;;
  esac
done
[ ${#bad[@]} = 0 ] || { printf 'symbols: %s\n' "${bad[@]}" >&2; fail "$binary would not start on JetPack 4.6"; }
echo "$binary: $newest_glibc at most, $libraries GStreamer and GLib symbols, none newer than $gstreamer and $glib"
