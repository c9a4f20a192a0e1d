#!/usr/bin/env bash
# Runs the Autobahn cases 1 to 10 against a server and judges the report; see README.md.
# Usage: run_server.sh [COMMAND ...]: a server, which is the example `echo_server` if none is given.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
"$here/../interop/setup.sh"
target="$(cd "${CARGO_TARGET_DIR:-$root/target}" && pwd)"

export CARGO_TARGET_DIR="$target"

if (($# == 0)); then
    cd "$root"
    cargo build --release --example echo_server
    set -- "$target/release/examples/echo_server" 127.0.0.1:0
fi
exec "$target/interop/venv/bin/python" "$here/run_server.py" \
    --report "$target/conformance/server.json" -- "$@"
