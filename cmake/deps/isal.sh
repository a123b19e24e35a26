#!/usr/bin/env bash
# Builds ISA-L as a static, position-independent archive from Debian's source package: Debian ships
# only the shared library, and wclayer links everything but libc statically.
#
#   cmake/deps/isal.sh OUT_DIR [linux-x86_64 | windows-x86_64]
#
# makes OUT_DIR/libisal.a and OUT_DIR/include/isa-l/*.h. Does nothing if this script has already made
# them. The package comes from the Debian mirrors that this computer's apt is set up with, checked by
# apt's signatures and by the sums below; /etc and apt's own lists stay as they are, and no rights
# are needed. Needs apt, dpkg-dev, make, nasm and gcc (or mingw-w64). Two runs give the same bytes.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C.UTF-8

version=2.30.0-5
sums="f363f1be3d657d5676cef5253ee2233e60116e2fa9c9de86881185bf81e0e4b8  libisal_2.30.0.orig.tar.xz
7774a820dd205a8a1b3525e4c0edd9e20c3481ea90432255817cc9e10f1cbf83  libisal_2.30.0-5.debian.tar.xz"

say() { printf '==> %s\n' "$*" >&2; }
die() { printf 'isal.sh: %s\n' "$*" >&2; exit 1; }

[ $# -ge 1 ] && [ $# -le 2 ] || die "usage: isal.sh OUT_DIR [linux-x86_64 | windows-x86_64]"
out=$(realpath -m "$1")
target=${2:-linux-x86_64}
case $target in
  linux-x86_64) compiler="gcc -fPIC" make_arguments=() ;;
  windows-x86_64)
    compiler="x86_64-w64-mingw32-gcc-posix"
    make_arguments=(arch=mingw host_cpu=x86_64 AR=x86_64-w64-mingw32-ar)
    ;;
  *) die "unknown target '$target' (linux-x86_64 or windows-x86_64)" ;;
esac

# The recipe is this script: whatever changes in it, the version too, builds anew.
stamp="libisal $version $target $(sha256sum < "${BASH_SOURCE[0]}" | cut -d ' ' -f 1)"
if [ -f "$out/libisal.a" ] && [ "$(cat "$out/libisal.stamp" 2>/dev/null)" = "$stamp" ]; then
  exit 0
fi
for tool in apt-get dpkg-source make nasm "${compiler%% *}"; do
  command -v "$tool" > /dev/null || die "$tool is missing"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{parts,lists/partial,cache/archives/partial}

# source_lists: apt's configured sources, as source-package entries, in the work folder.
source_lists() {
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    sed -E 's/^Types:.*/Types: deb-src/' "$file" > "$work/parts/${file##*/}"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] || continue
    sed -nE 's/^[[:space:]]*deb(-src)?[[:space:]]/deb-src /p' "$file" | sort -u \
      > "$work/parts/$(basename "$file" .list).list"
  done
}

# The work folder is private, so that apt's download user could not write into it.
apt=(apt-get -q
  -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$work/parts"
  -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root)

download() {
  source_lists
  # Third-party repositories often have no source index; only the package itself has to be found.
  "${apt[@]}" update >&2 || say "apt-get update had errors; trying to go on"
  (cd "$work" && "${apt[@]}" source --download-only "libisal=$version" >&2) \
    || die "apt cannot find source package libisal $version (is a Debian 12 mirror configured?)"
  (cd "$work" && sha256sum --quiet --strict -c - <<< "$sums") || die "the package has other contents than expected"
  # apt has checked the signature already; --no-check spares a keyring.
  (cd "$work" && dpkg-source --no-check -x "libisal_$version.dsc" src >&2)
}

# Hidden symbols keep ISA-L out of our shared library's exports; nasm without --reproducible writes the
# time into Windows objects.
build() {
  make -C "$work/src" -f Makefile.unx -j"$(nproc)" lib AS="nasm --reproducible" \
    CC="$compiler -O2 -ffile-prefix-map=$work=. -fvisibility=hidden" "${make_arguments[@]}" \
    > "$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; die "make failed"; }
}

# The stamp goes first and comes back last: an interrupted run leaves no archive that looks right.
install_into() {
  mkdir -p "$1"
  rm -rf "$1/libisal.stamp" "$1/include/isa-l"
  mkdir -p "$1/include/isa-l"
  local header
  for header in "$work"/src/include/*.h; do
    [ "${header##*/}" = test.h ] || cp "$header" "$1/include/isa-l/"
  done
  cp "$work/src/bin/isa-l.a" "$1/libisal.a.new"
  mv "$1/libisal.a.new" "$1/libisal.a"
  printf '%s\n' "$stamp" > "$1/libisal.stamp"
}

say "building ISA-L $version for $target"
download
build
install_into "$out"
