#!/usr/bin/env bash
# The libraries are what they promise: the shared one exports what hvloop.h declares and nothing else, has a SONAME
# and stays loaded; the static one needs what the installed files say.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

./header.sh --check
# Apart from the library that tests link: the flags differ.
native="$(cargo rustc --quiet -p hvloop-capi --crate-type staticlib -- --print native-static-libs 2>&1 |
    sed -n 's/^note: native-static-libs: //p')"
if [[ -n "$native" && "$native" != "$(<packaging/native_libs)" ]]; then
    echo "the static library needs \"$native\", packaging/native_libs says \"$(<packaging/native_libs)\"" >&2
    exit 1
fi
cargo build --quiet -p hvloop-capi
target="$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')"
library="$target/debug/libhvloop.so"

exported="$(nm -D --defined-only "$library" | awk '{ print $3 }' | sort)"
declared="$(grep -oE '\bhvloop_[a-z0-9_]+\(' include/hvloop.h | grep -vE '_\($' | tr -d '(' | sort -u)"
if ! diff <(echo "$declared") <(echo "$exported"); then
    echo "< declared in hvloop.h alone, > exported by libhvloop.so alone" >&2
    exit 1
fi

dynamic="$(readelf -d "$library")"
version="$(cargo pkgid -p hvloop-capi | sed 's/.*[#@]//')"
for wanted in "libhvloop.so.${version%.*}" NODELETE; do
    if ! grep -qF "$wanted" <<<"$dynamic"; then
        echo "libhvloop.so lacks $wanted" >&2
        exit 1
    fi
done
echo "$(wc -l <<<"$exported") functions, declared and exported; SONAME libhvloop.so.${version%.*}"
