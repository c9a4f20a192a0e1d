#!/usr/bin/env bash
# Runs the Autobahn cases against a server and judges the report; see README.md.
# Usage: run_server.sh [--short] [COMMAND ...]: a server, which is the example `echo_server` if none is given.
set -euo pipefail

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
    cd "$root"
    cargo build --release --example echo_server
    # The suite takes no message that is not compressed once compression is agreed on.
    set -- "$target/release/examples/echo_server" 127.0.0.1:0 --compress-all
fi
exec "$target/interop/venv/bin/python" "$here/run_server.py" \
    "${short[@]}" --report "$target/conformance/server.json" -- "$@"
