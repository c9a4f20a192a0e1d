#!/usr/bin/env bash
# Checks that every test, deliberate bug and script named in docs/reliability.md exists.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

missing=0
checked=0
# The last three columns of the first table.
while read -r name; do
    checked=$((checked + 1))
    case "$name" in
        */*) [[ -e "$name" ]] && continue ;;
        *) grep -rqE "(fn $name\b|^ *$name =>|^ *mod $name \{|\(?\"$name\",)" \
            --include='*.rs' tests event ws && continue
            grep -qE "^$name \|" tests/mutants.txt && continue ;;
    esac
    echo "no such test: $name" >&2
    missing=$((missing + 1))
done < <(sed -n '/^| promise/,/^$/p' docs/reliability.md | tail -n +3 |
    awk -F'|' '{ print $4 $5 $6 }' | grep -oE '`[^`]+`' | tr -d '`' | sort -u)
echo "$checked names, $missing missing"
((missing == 0 && checked > 0))
