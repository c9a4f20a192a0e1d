#!/usr/bin/env bash
# Runs the Autobahn cases against a client and judges the report; see README.md.
# Usage: run_client.sh [--short] [COMMAND ...]: the suite's URL is appended to the command, which is
# `cargo run --release --example autobahn_client --` if none is given.
set -euo pipefail

own=()
short=()
if [[ "${1:-}" == --short ]]; then
    short=(--short)
    shift
fi

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
"$here/../interop/setup.sh"
target="$(cd "${CARGO_TARGET_DIR:-$root/target}" && pwd)"

export CARGO_TARGET_DIR="$target"

if (($# == 0)); then
    # Built first, so that the time limit is for the cases alone.
    cd "$root"
    cargo build --release --example autobahn_client
    set -- cargo run --quiet --release --example autobahn_client --
    own=(--no-takeover-option=--no-context-takeover)
fi
exec "$target/interop/venv/bin/python" "$here/run_client.py" \
    "${short[@]}" "${own[@]}" --report "$target/conformance/client.json" -- "$@"
