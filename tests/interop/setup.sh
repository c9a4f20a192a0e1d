#!/usr/bin/env bash
# Installs the programs of other people that hvloop is tried with: a Python environment with `websockets`
# and `kosoku` in target/interop/venv, Node's `ws` in tests/interop/node_modules. Versions are pinned in
# requirements.txt and package-lock.json. Does nothing when everything is there; several may run at once.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
target="${CARGO_TARGET_DIR:-$root/target}/interop"
mkdir -p "$target"
target="$(cd "$target" && pwd)"
lock="$target/lock"
cd "$here"

want="$(cat requirements.txt package-lock.json | cksum)"
installed() {
    [[ -x "$target/venv/bin/python" && -d node_modules/ws && "$(cat "$target/installed" 2>/dev/null)" == "$want" ]]
}
installed && exit 0

# One installs, the others wait for the lock. A lock whose owner has died is removed.
deadline=$((SECONDS + 600))
until mkdir "$lock" 2>/dev/null; do
    owner="$(cat "$lock/pid" 2>/dev/null || true)"
    if [[ -n "$owner" ]] && ! kill -0 "$owner" 2>/dev/null; then
        rm -rf "$lock"
        continue
    fi
    if ((SECONDS > deadline)); then
        echo "setup.sh: another set-up holds $lock since ten minutes" >&2
        exit 1
    fi
    sleep 0.2
done
trap 'rm -rf "$lock"' EXIT
echo $$ >"$lock/pid"
installed && exit 0

for program in python3 npm node; do
    command -v "$program" >/dev/null || {
        echo "setup.sh: $program is needed for the interoperability tests" >&2
        exit 1
    }
done
rm -f "$target/installed"
# To stderr: callers read results from stdout.
{
    python3 -m venv --clear "$target/venv"
    "$target/venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
    npm ci --no-audit --no-fund --loglevel=error
} >&2
printf '%s' "$want" >"$target/installed"
