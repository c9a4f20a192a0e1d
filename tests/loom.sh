#!/usr/bin/env bash
# Model-checks event/src/sync with loom: the models must pass, and each deliberate bug must make
# one of them fail.
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR=target/loom LOOM_MAX_PREEMPTIONS=3
mutants=(lost_wake double_wake close_ignores_permits run_clears_stop owner_after_phase
    release_does_not_wake)

models() { # cfg flags
    RUSTFLAGS="--cfg loom $1" timeout 600 cargo test --quiet --release -p hvloop-event \
        --no-default-features --lib sync::
}

passed=0 failed=0
check() { # name, wanted (pass or fail), cfg flags
    local log=target/loom/$1.log result=pass
    mkdir -p target/loom
    models "$3" >"$log" 2>&1 || result=fail
    # A mutant that does not even compile shows nothing.
    if grep -q 'could not compile' "$log"; then result=broken; fi
    if [ "$result" = "$2" ]; then
        passed=$((passed + 1))
        echo "ok: $1 ($result, as it must)"
    else
        failed=$((failed + 1))
        echo "FAILED: $1: $result instead of $2"
        tail -n 30 "$log"
    fi
}

check models pass ""
for mutant in "${mutants[@]}"; do
    check "$mutant" fail "--cfg hvloop_mutant=\"$mutant\""
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
