#!/usr/bin/env bash
# Builds hvloop for C and C++ and installs it: headers, libraries, pkg-config's and CMake's files.
#
#   capi/install.sh [--prefix /usr/local] [--destdir DIR] [--libdir lib] [--profile capi]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

prefix=/usr/local destdir="" libdir=lib profile=capi
while (($# > 0)); do
    case "$1" in
    --prefix) prefix="${2:?}" ;;
    --destdir) destdir="${2:?}" ;;
    --libdir) libdir="${2:?}" ;;
    --profile) profile="${2:?}" ;;
    *)
        sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]##*/}" >&2
        exit 2
        ;;
    esac
    shift 2
done
if [[ "$prefix" != /* ]]; then
    echo "capi/install.sh: the prefix is to be an absolute path: $prefix" >&2
    exit 2
fi

cargo build --quiet --profile "$profile" -p hvloop-capi
target="$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')"
# Cargo calls the directory of the profile "dev" so.
built="$target/${profile/#dev/debug}"
version="$(cargo pkgid -p hvloop-capi | sed 's/.*[#@]//')"
major="${version%%.*}" rest="${version#*.}"
minor="${rest%%.*}"
breaking="$major"
if ((major == 0)); then
    breaking="0.$minor"
fi

include="$destdir$prefix/include/hvloop" lib="$destdir$prefix/$libdir"
rm -rf "$include"
mkdir -p "$include" "$lib/pkgconfig" "$lib/cmake/hvloop/libhv"
cp -R include/hvloop.h include/hv "$include/"
install -m 644 "$built/libhvloop.a" "$lib/libhvloop.a"
install -m 755 "$built/libhvloop.so" "$lib/libhvloop.so.$version"
ln -sf "libhvloop.so.$version" "$lib/libhvloop.so.$breaking"
ln -sf "libhvloop.so.$breaking" "$lib/libhvloop.so"

# fill FROM TO: what is between @ and @ is known here.
fill() {
    sed -e "s|@PREFIX@|$prefix|g" -e "s|@LIBDIR@|$libdir|g" -e "s|@VERSION@|$version|g" \
        -e "s|@BREAKING@|$breaking|g" -e "s|@NATIVE_LIBS@|$(<packaging/native_libs)|g" "packaging/$1" >"$lib/$2"
}
fill hvloop.pc.in pkgconfig/hvloop.pc
fill hvloopConfig.cmake.in cmake/hvloop/hvloopConfig.cmake
fill hvloopConfigVersion.cmake.in cmake/hvloop/hvloopConfigVersion.cmake
fill libhvConfig.cmake.in cmake/hvloop/libhv/libhvConfig.cmake
echo "hvloop $version is installed in $destdir$prefix"
