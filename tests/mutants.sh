#!/usr/bin/env bash
# Shows that deliberate bugs on real sockets and threads are found: each test that tests/mutants.txt names
# must pass as it is, and fail with the bug beside it.
#   tests/mutants.sh             all of them
#   tests/mutants.sh NAME ...    these
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export RUSTFLAGS="--cfg hvloop_mutants"
export CARGO_TARGET_DIR="$PWD/target/mutants"
# In a copy of the sources, which has the bugs.
copy="$(tests/mutants/apply.py)"
cd "$copy"
export CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0
# A test has its own limits of time; this one ends what has none, and shows nothing.
readonly limit=180
# A bug is mostly waited for, until a limit of the test.
readonly jobs=4
readonly logs=$CARGO_TARGET_DIR/logs

# run LOG ARGUMENTS TEST: the test program runs the one test.
run() {
    local log="$1" which
    read -ra which <<<"$2"
    timeout "$limit" cargo test --quiet "${which[@]}" "$3" >"$log" 2>&1 </dev/null
}

# check NAME ARGUMENTS TEST: one line, which begins with ok or FAILED.
check() {
    local log="$logs/$1.log" status=0 verdict=""
    if ! grep -rqF "mutant!(\"$1\")" --include='*.rs' event/src ws/src; then
        verdict="no such bug in the source"
    elif ! run "$log" "$2" "$3" || ! grep -qE '^test result: ok\. [1-9]' "$log"; then
        verdict="the test does not pass without the bug"
    else
        HVLOOP_MUTANT="$1" run "$log" "$2" "$3" || status=$?
        if ((status == 0)); then
            verdict="not found"
        elif ! grep -q '^test result: FAILED' "$log"; then
            verdict="the test program did not end by itself (status $status)"
        fi
    fi
    if [[ -z "$verdict" ]]; then
        echo "ok      mutant $1: caught by $3"
    else
        echo "FAILED  mutant $1, $3: $verdict"
        tail -n 30 "$log" 2>/dev/null || true
    fi
}

trim() {
    sed -E 's/^[[:space:]]+|[[:space:]]+$//g' <<<"$1"
}

mkdir -p "$logs"
rm -f "$logs"/*.verdict
# The lines that are wanted.
lines=()
while IFS='|' read -r name rest; do
    name=$(trim "$name")
    [[ -z "$name" || "$name" == '#'* ]] && continue
    if (($# == 0)) || [[ " $* " == *" $name "* ]]; then
        lines+=("$name|$rest")
    fi
done <tests/mutants.txt
if ((${#lines[@]} == 0)); then
    echo "no such bug in tests/mutants.txt: $*" >&2
    exit 2
fi
# Tests start programs of their own (tests/support).
cargo build --quiet --package hvloop-test-support --bins
while IFS= read -r which; do
    read -ra arguments <<<"$which"
    cargo test --quiet "${arguments[@]}" --no-run
done < <(printf '%s\n' "${lines[@]}" | cut -d'|' -f2 | sort -u)
for line in "${lines[@]}"; do
    IFS='|' read -r name which test <<<"$line"
    while (($(jobs -rp | wc -l) >= jobs)); do
        wait -n
    done
    check "$name" "$(trim "$which")" "$(trim "$test")" >"$logs/$name.verdict" &
done
wait
cat "$logs"/*.verdict
passed=$({ grep -lE "^ok " "$logs"/*.verdict || true; } | wc -l)
failed=$({ grep -LE "^ok " "$logs"/*.verdict || true; } | wc -l)
echo "$passed passed, $failed failed"
((failed == 0 && passed > 0))
