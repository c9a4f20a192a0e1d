#!/usr/bin/env bash
# Installs the programs that hvloop is tried with: `openssl` and OpenBSD's `nc` as clients of its servers,
# `chromium` as a client of its WebSocket server, `tinyproxy` and `microsocks` as proxies of its clients, `strace`.
# Does nothing when all are there.
set -euo pipefail

missing=()
command -v openssl >/dev/null || missing+=(openssl)
nc -h 2>&1 | grep -q 'OpenBSD' || missing+=(netcat-openbsd)
command -v strace >/dev/null || missing+=(strace)
command -v tinyproxy >/dev/null || missing+=(tinyproxy-bin)
command -v microsocks >/dev/null || missing+=(microsocks)
command -v chromium >/dev/null || missing+=(chromium)
((${#missing[@]} > 0)) || exit 0
if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "setup.sh: please install: ${missing[*]}" >&2
    exit 1
fi
# To stderr: callers read results from stdout.
{
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
} >&2
