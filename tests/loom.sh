#!/usr/bin/env bash
# Model-checks event/src/sync, and the gate of capi's callbacks, with loom: the models must pass, and each deliberate bug (a value of
# cfg hvloop_mutant) must make the model named beside it fail.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out="$PWD/target/loom"
readonly out
# In a copy of the sources, which has the bugs.
copy="$(tests/mutants/apply.py)"
cd "$copy"

readonly package=hvloop-loom
# Where a model stops: this many preemptions in one run, and a hang is a failure.
export LOOM_MAX_PREEMPTIONS="${LOOM_MAX_PREEMPTIONS:-3}"
readonly limit=120

readonly mutants=(
    lost_wake:inbox::wake_never_lost
    pending_before_push:inbox::wake_never_lost
    double_wake:inbox::wake_is_one_a_sleep
    batch_over_batch:inbox::close_keeps_exactly_what_was_accepted_in_order
    reserve_checks_early:inbox::close_keeps_exactly_what_was_accepted_in_order
    begin_run_clears_stop:gate::stop_never_lost_to_begin_run
    owner_after_phase:gate::owner_published_before_running
    release_no_wake:gate::last_hold_wakes_a_draining_loop
    try_close_checks_early:gate::close_never_over_a_hold_taken
    finish_tells_nobody:gate::finish_wakes_who_waits
    gate_leaves_silently:callbacks::nobody_is_called_once_it_is_free
    gate_waits_for_nobody:callbacks::two_threads_are_waited_for
    gate_lets_late_ones_in:callbacks::nobody_is_called_once_it_is_free
    gate_waits_for_itself:callbacks::freed_inside_of_a_call
)

# build LOG [RUSTC-ARGUMENT ...]: builds the tests and prints the path of their program. The
# arguments reach this package alone, so that what it depends on is built once for all mutants.
build() {
    local log="$1" json
    shift
    if ! json=$(RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="$out" \
        CARGO_PROFILE_DEV_OPT_LEVEL=2 CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_DEV_INCREMENTAL=false \
        cargo rustc --quiet --package "$package" --lib --profile test \
        --message-format json-render-diagnostics -- "$@" 2>"$log"); then
        return 1
    fi
    sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' <<<"$json"
}

passed=0
failed=0
# verdict OK TEXT LOG
verdict() {
    if "$1"; then
        passed=$((passed + 1))
        echo "ok      $2"
    else
        failed=$((failed + 1))
        echo "FAILED  $2"
        tail -n 40 "$3"
    fi
}

# The models as they are. Their names are kept: a mutant counts only against a model that passed.
check_models() {
    local log="$out/models.log" ok=false program
    if program=$(build "$log") && timeout "$limit" "$program" >"$log" 2>&1 &&
        grep -q '^test result: ok\. [1-9]' "$log"; then
        ok=true
    fi
    verdict "$ok" "models: $(grep -c '^test .* ok$' "$log" || true) pass" "$log"
}

# check_mutant NAME MODEL: builds with the bug; the model, which passes without it, must panic.
check_mutant() {
    local log="$out/mutant-$1.log" ok=false program status=0
    if ! grep -qx "test $2 \.\.\. ok" "$out/models.log"; then
        echo "no such model passes without the bug: $2" >"$log"
    elif program=$(build "$log" --cfg "hvloop_mutant=\"$1\""); then
        # The subshell keeps to the log what bash says about an abort (a panic while unwinding).
        (timeout "$limit" "$program" --exact "$2" || exit $?) >"$log" 2>&1 || status=$?
        # 124: a hang shows nothing. What loom finds, a deadlock too, is a panic.
        if ((status != 0 && status != 124)) && grep -q 'panicked at' "$log"; then
            ok=true
        fi
    fi
    verdict "$ok" "mutant $1: caught by $2" "$log"
}

mkdir -p "$out"
check_models
for mutant in "${mutants[@]}"; do
    check_mutant "${mutant%%:*}" "${mutant#*:}"
done
echo "$passed passed, $failed failed"
((failed == 0))
