#!/usr/bin/env bash
# An installed copy is found by pkg-config and by CMake, and builds programs, shared and static. CMake also finds
# it by libhv's names.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
prefix="$work/prefix"
./install.sh --prefix "$prefix" --profile dev

cat >"$work/main.cpp" <<'CPP'
#include "EventLoop.h"
#include "hv/EventLoopThread.h"

int main() {
    hv::EventLoopThread thread;
    thread.start();
    int seen = 0;
    thread.loop()->runInLoop([&] {
        seen = 1;
        thread.loop()->stop();
    });
    thread.join();
    puts(seen && hvloop_abi_version() == HVLOOP_ABI_VERSION ? "ok" : "wrong");
    return 0;
}
CPP
cat >"$work/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.13)
project(installed CXX)
set(CMAKE_CXX_STANDARD 11)
find_package(hvloop 0.1 REQUIRED)
find_package(libhv REQUIRED)
foreach(library hvloop::shared hvloop::static hvloop::hvloop hv hv_static)
  string(REPLACE "::" "_" program "program_${library}")
  add_executable(${program} main.cpp)
  target_link_libraries(${program} ${library})
endforeach()
CMAKE

# runs PROGRAM: it says "ok".
runs() {
    local said
    said="$("$@")"
    [[ "$said" == ok ]] || { echo "$* said: $said" >&2; exit 1; }
    local program="${!#}"
    echo "- ${program##*/}: ok"
}

export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"
read -ra cxx <<<"${CXX:-c++}"
read -ra shared <<<"$(pkg-config --cflags --libs hvloop)"
"${cxx[@]}" -std=c++11 "$work/main.cpp" -o "$work/by_pkg_config_shared" "${shared[@]}"
runs env LD_LIBRARY_PATH="$prefix/lib" "$work/by_pkg_config_shared"

read -ra static <<<"$(pkg-config --static --cflags --libs hvloop | sed "s|-lhvloop|$prefix/lib/libhvloop.a|")"
"${cxx[@]}" -std=c++11 "$work/main.cpp" -o "$work/by_pkg_config_static" "${static[@]}"
runs "$work/by_pkg_config_static"

cmake -S "$work" -B "$work/build" -DCMAKE_PREFIX_PATH="$prefix" \
    -Dlibhv_DIR="$prefix/lib/cmake/hvloop/libhv" >"$work/log" || { cat "$work/log" >&2; exit 1; }
cmake --build "$work/build" >"$work/log" || { cat "$work/log" >&2; exit 1; }
for program in "$work/build"/program_*; do
    runs "$program"
done

# A version that is none of ours is refused.
sed -i 's/find_package(hvloop 0.1/find_package(hvloop 0.2/' "$work/CMakeLists.txt"
if cmake -S "$work" -B "$work/build2" -DCMAKE_PREFIX_PATH="$prefix" >/dev/null 2>&1; then
    echo "hvloop 0.2 was found" >&2
    exit 1
fi
