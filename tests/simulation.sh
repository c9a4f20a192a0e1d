#!/usr/bin/env bash
# Runs random histories of the event loop on a simulated world (tests/simulation):
#   tests/simulation.sh --seeds 100000          so many seeds
#   tests/simulation.sh --mutants               every deliberate bug must be found
#   tests/simulation.sh --replay 17 --shrink    one seed, shortened, with its trace
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export RUSTFLAGS="--cfg hvloop_sim"
export CARGO_TARGET_DIR="$PWD/target/simulation"
# The library's own assertions are part of what is checked.
export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS=true
export CARGO_PROFILE_RELEASE_DEBUG=line-tables-only

# The bugs are in a copy of the sources. It is built in a place of its own: to cargo, which names what it has
# built by paths within the workspace, both are one.
for argument; do
    case "$argument" in
    --mutant | --mutant=* | --mutants)
        copy="$(tests/mutants/apply.py)"
        export CARGO_TARGET_DIR="$PWD/target/simulation-mutated"
        cd "$copy"
        break
        ;;
    esac
done

exec cargo run --quiet --release --package hvloop-simulation -- "$@"
