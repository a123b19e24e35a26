#!/usr/bin/env bash
# Builds ISA-L as a static, position-independent archive from Debian's source package: Debian ships
# only the shared library, and wclayer links everything but libc statically.
#
#   cmake/deps/isal.sh OUT_DIR [linux-x86_64 | linux-aarch64 | windows-x86_64]
#
# makes OUT_DIR/libisal.a and OUT_DIR/include/isa-l/*.h. Does nothing if this script has already made
# them. Needs apt, dpkg-dev, make, nasm and gcc (for the target). Two runs give the same bytes.
source "$(dirname "${BASH_SOURCE[0]}")/source-package.sh"

version=2.30.0-5
sums="f363f1be3d657d5676cef5253ee2233e60116e2fa9c9de86881185bf81e0e4b8  libisal_2.30.0.orig.tar.xz
7774a820dd205a8a1b3525e4c0edd9e20c3481ea90432255817cc9e10f1cbf83  libisal_2.30.0-5.debian.tar.xz"

[ $# -ge 1 ] && [ $# -le 2 ] || die "usage: isal.sh OUT_DIR [linux-x86_64 | linux-aarch64 | windows-x86_64]"
out=$(realpath -m "$1")
target=${2:-linux-x86_64}
case $target in
  linux-x86_64) compiler="gcc -fPIC" make_arguments=() ;;
  linux-aarch64)
    compiler="aarch64-linux-gnu-gcc -fPIC"
    make_arguments=(arch=aarch64 host_cpu=aarch64 AR=aarch64-linux-gnu-ar)
    ;;
  windows-x86_64)
    compiler="x86_64-w64-mingw32-gcc-posix"
    make_arguments=(arch=mingw host_cpu=x86_64 AR=x86_64-w64-mingw32-ar)
    ;;
  *) die "unknown target '$target' (linux-x86_64, linux-aarch64 or windows-x86_64)" ;;
esac

# The recipe is this script: whatever changes in it, the version too, builds anew.
stamp="libisal $version $target $(sha256sum < "${BASH_SOURCE[0]}" | cut -d ' ' -f 1)"
if [ -f "$out/libisal.a" ] && [ "$(cat "$out/libisal.stamp" 2>/dev/null)" = "$stamp" ]; then
  exit 0
fi
need nasm "${compiler%% *}"

# The stamp goes first and comes back last: an interrupted run leaves no archive that looks right.
install_into() {
  mkdir -p "$1"
  rm -rf "$1/libisal.stamp" "$1/include/isa-l"
  mkdir -p "$1/include/isa-l"
  local header
  for header in "$work"/libisal/include/*.h; do
    [ "${header##*/}" = test.h ] || cp "$header" "$1/include/isa-l/"
  done
  cp "$work/libisal/bin/isa-l.a" "$1/libisal.a.new"
  mv "$1/libisal.a.new" "$1/libisal.a"
  printf '%s\n' "$stamp" > "$1/libisal.stamp"
}

say "building ISA-L $version for $target"
make_work
unpack libisal "$version" "$sums"
# Hidden symbols keep ISA-L out of our shared library's exports; nasm without --reproducible writes the
# time into Windows objects.
[ "$target" = linux-aarch64 ] || make_arguments+=(AS="nasm --reproducible")
build make -C "$work/libisal" -f Makefile.unx -j"$(nproc)" lib \
  CC="$compiler -O2 -ffile-prefix-map=$work=. -fvisibility=hidden" "${make_arguments[@]}"
install_into "$out"
