#!/usr/bin/env bash
# Line coverage of the loop's core and of the WebSocket protocol by the simulation and the unit tests:
#   tests/coverage.sh           the table
#   tests/coverage.sh --lines   and the lines that were never run
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly out=target/coverage seeds="${SEEDS:-20000}"
readonly sources=(event/src/core event/src/machine event/src/sync event/src/transport event/src/proxy ws/src/protocol ws/src/client
    ws/src/server ws/src/websocket ws/src/deflate)
bin="$(rustc --print sysroot)/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin"
[[ -x "$bin/llvm-cov" ]] || rustup component add llvm-tools
rm -rf "$out/raw"
mkdir -p "$out/raw"

objects=()
# programs CARGO-ARGUMENT ...: builds and remembers the programs that it made.
programs() {
    local program
    while read -r program; do
        objects+=("$program")
    done < <(LLVM_PROFILE_FILE="$PWD/$out/raw/build-%p.profraw" cargo "$@" \
        --message-format json-render-diagnostics | sed -n 's/.*"executable":"\([^"]*\)".*/\1/p')
}

export CARGO_TARGET_DIR="$out"
RUSTFLAGS="--cfg hvloop_sim -C instrument-coverage" programs build --quiet --release -p hvloop-simulation
simulation="${objects[0]}"
RUSTFLAGS="-C instrument-coverage" programs test --quiet --no-run -p hvloop-event -p hvloop-ws --lib

export LLVM_PROFILE_FILE="$PWD/$out/raw/%p-%m.profraw"
"$simulation" --seeds "$seeds"
for program in "${objects[@]:1}"; do
    "$program" --quiet >/dev/null
done
rm -f "$out"/raw/build-*.profraw
"$bin/llvm-profdata" merge -sparse "$out"/raw/*.profraw -o "$out/all.profdata"

arguments=(-instr-profile "$out/all.profdata" "${objects[0]}")
for object in "${objects[@]:1}"; do
    arguments+=(-object "$object")
done
"$bin/llvm-cov" export -format lcov "${arguments[@]}" --sources "${sources[@]}" >"$out/lcov.info" 2>/dev/null

# Tests, models and the simulation's own code are not what is measured.
python3 - "$out/lcov.info" "$PWD/" "${1:-}" <<'PYTHON'
import sys

lines = {}
for line in open(sys.argv[1]):
    kind, _, rest = line.strip().partition(":")
    if kind == "SF":
        file = rest.removeprefix(sys.argv[2])
        hits = lines.setdefault(file, {})
    elif kind == "DA":
        number, count = rest.split(",")[:2]
        hits[int(number)] = max(hits.get(int(number), 0), int(count))

def begins_tests(file):
    """The line at which the unit tests of a file begin."""
    for number, text in enumerate(open(file), 1):
        if text.startswith("#[cfg(") and "test" in text:
            return number
    return 1 << 30

folders = {}
missed = {}
for file, hits in sorted(lines.items()):
    if "/tests" in file or "/models/" in file or "invariants" in file:
        continue
    end = begins_tests(file)
    hits = {number: count for number, count in hits.items() if number < end}
    folder = folders.setdefault(file.rpartition("/")[0], [0, 0])
    folder[0] += sum(count > 0 for count in hits.values())
    folder[1] += len(hits)
    missed[file] = [number for number, count in sorted(hits.items()) if count == 0]
for folder, (run, there) in folders.items():
    print(f"{folder:24} {run:5} of {there:5} lines  {100 * run / there:5.1f} %")
if sys.argv[3] == "--lines":
    for file, numbers in missed.items():
        text = open(file).read().splitlines()
        for number in numbers:
            print(f"{file}:{number}: {text[number - 1].strip()}")
PYTHON
