#!/usr/bin/env bash
# Runs the Autobahn cases 1 to 10 against a client and judges the report; see README.md.
# Usage: run_client.sh [COMMAND ...]: the suite's URL is appended to the command, which is
# `cargo run --release --example autobahn_client --` if none is given.
set -euo pipefail

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
fi
exec "$target/interop/venv/bin/python" "$here/run_client.py" \
    --report "$target/conformance/client.json" -- "$@"
