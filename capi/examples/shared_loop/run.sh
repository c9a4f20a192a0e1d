#!/usr/bin/env bash
# Builds both programs and runs them; what they print has to be what is expected. With --sanitize their C++ is
# checked by AddressSanitizer and UndefinedBehaviorSanitizer meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

flags=()
link=()
first=()
if [[ "${1:-}" == --sanitize ]]; then
    flags=(-fsanitize=address,undefined)
    # Rust links without the compiler's own libraries, so that they are named; the first one has to be loaded first.
    link=(-- -Clink-arg=-lasan -Clink-arg=-lubsan)
    first=(env "LD_PRELOAD=$("${CXX:-c++}" -print-file-name=libasan.so)")
    export SHARED_LOOP_SANITIZE=1
fi
target="$(cargo metadata --format-version 1 --no-deps | sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')"
native="$(<../../packaging/native_libs)"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# is FILE PROGRAM ...: it prints what the file has.
is() {
    local expected="$1"
    shift
    timeout 60 "$@" >"$work/said"
    diff "$expected" "$work/said"
    cat "$work/said"
}

cargo rustc --quiet -p hvloop-shared-loop "${link[@]}"
echo "== a Rust program with C++ on its loop"
is rust_host/expected.txt "${first[@]}" "$target/debug/shared_loop"

cargo build --quiet -p hvloop-plugin
echo "== a C++ program with Rust on its loop"
read -ra libraries <<<"$native"
"${CXX:-c++}" -std=c++11 -Wall -Wextra "${flags[@]}" -I ../../include cpp_host/main.cpp \
    "$target/debug/libhvloop_plugin.a" "${libraries[@]}" -o "$work/main"
is cpp_host/expected.txt "$work/main"
