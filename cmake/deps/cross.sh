#!/usr/bin/env bash
# Cross-builds what Debian installs for the host alone: zstd and libdeflate as static archives, xxHash's
# header (nothing of it is linked), and ISA-L (isal.sh), from Debian's source packages.
#
#   cmake/deps/cross.sh OUT_DIR linux-aarch64 | windows-x86_64
#
# makes OUT_DIR/lib{isal,zstd,deflate}.a and OUT_DIR/include. Does nothing if this script has already
# made them. Needs apt, dpkg-dev, make, and g++-aarch64-linux-gnu, or nasm and mingw-w64 (posix threads).
# Two runs give the same bytes.
source "$(dirname "${BASH_SOURCE[0]}")/source-package.sh"

zstd=1.5.4+dfsg2-5
zstd_sums="8cf4bbb65e77ec348d052c8d6230eba66d435bddf64c8b5be2fcb16880c19953  libzstd_1.5.4+dfsg2.orig.tar.xz
82ce911445772861d0838bd4545f93bc50658bc7f3cefdb17a307dfb8ffca5d8  libzstd_1.5.4+dfsg2-5.debian.tar.xz"
deflate=1.14-1
deflate_sums="89e7df898c37c3427b0f39aadcf733731321a278771d20fc553f92da8d4808ac  libdeflate_1.14.orig.tar.gz
4794c379cc4e77eaeb283620bd80a7ce57b858af508f80ba6d5efbc4bcb10434  libdeflate_1.14-1.debian.tar.xz"
xxhash=0.8.1-1
xxhash_sums="3bb6b7d6f30c591dd65aaaff1c8b7a5b94d81687998ca9400082c739a690436c  xxhash_0.8.1.orig.tar.gz
d40aa223e90b85435082857b64573541ba9a995841717496e8975aed97241550  xxhash_0.8.1-1.debian.tar.xz"

[ $# -eq 2 ] || die "usage: cross.sh OUT_DIR linux-aarch64 | windows-x86_64"
out=$(realpath -m "$1")
target=$2
case $target in
  linux-aarch64) compiler="aarch64-linux-gnu-gcc -fPIC" ar=aarch64-linux-gnu-ar deflate_archive=libdeflate.a ;;
  windows-x86_64) compiler=x86_64-w64-mingw32-gcc-posix ar=x86_64-w64-mingw32-ar deflate_archive=libdeflatestatic.lib ;;
  *) die "unknown target '$target' (linux-aarch64 or windows-x86_64)" ;;
esac
bash "$(dirname "${BASH_SOURCE[0]}")/isal.sh" "$out" "$target"

# The recipe is this script: whatever changes in it, the versions too, builds anew.
stamp="zstd $zstd libdeflate $deflate xxhash $xxhash $target $(sha256sum < "${BASH_SOURCE[0]}" | cut -d ' ' -f 1)"
if [ "$(cat "$out/cross.stamp" 2>/dev/null)" = "$stamp" ]; then
  exit 0
fi
need "${compiler%% *}" "$ar"

say "building zstd $zstd and libdeflate $deflate for $target"
make_work
unpack libzstd "$zstd" "$zstd_sums"
unpack libdeflate "$deflate" "$deflate_sums"
unpack xxhash "$xxhash" "$xxhash_sums"
tools=(CC="$compiler -ffile-prefix-map=$work=. -fvisibility=hidden" AR="$ar")
build make -C "$work/libzstd/lib" -j"$(nproc)" libzstd.a "${tools[@]}"
build make -C "$work/libdeflate" -j"$(nproc)" "$deflate_archive" "${tools[@]}"

# The stamp goes first and comes back last: an interrupted run leaves no archives that look right.
mkdir -p "$out/include"
rm -f "$out/cross.stamp"
cp "$work/libzstd/lib/libzstd.a" "$out/libzstd.a"
cp "$work/libdeflate/$deflate_archive" "$out/libdeflate.a"
cp "$work/libzstd/lib/zstd.h" "$work/libzstd/lib/zstd_errors.h" "$work/libdeflate/libdeflate.h" \
  "$work/xxhash/xxhash.h" "$work/xxhash/xxh3.h" "$out/include/"
printf '%s\n' "$stamp" > "$out/cross.stamp"
