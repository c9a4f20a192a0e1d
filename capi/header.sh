#!/usr/bin/env bash
# Makes include/hvloop.h from src. With --check: fails if the committed one is another.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# Pinned: another version words the header in another way. A tool, no dependency: it is under the MPL.
CBINDGEN_VERSION=0.29.2
if [[ "$(cbindgen --version 2>/dev/null)" != "cbindgen $CBINDGEN_VERSION" ]]; then
    cargo install cbindgen --locked --version "$CBINDGEN_VERSION"
fi

made="$(mktemp -d)"
trap 'rm -rf "$made"' EXIT

# The crate's documentation has the rules of the ABI; the header's reader gets the same text. A section "Safety"
# speaks to Rust's lints: in C it is what must hold of the arguments.
# Enums that no signature names, as C passes them as int, are to be there, too.
sed -n 's/^pub enum \(hvloop_[a-z_0-9]*\).*/    "\1",/p' src/*.rs src/*/*.rs | sort >"$made/enums"
{ cat cbindgen.toml && printf '\n[export]\ninclude = [\n%s\n]\n' "$(cat "$made/enums")"; } >"$made/cbindgen.toml"

cbindgen --quiet --config "$made/cbindgen.toml" --crate hvloop-capi-impl --output "$made/hvloop.h" .
python3 - "$made/hvloop.h" <<'PYTHON'
import pathlib
import re
import sys

header = pathlib.Path(sys.argv[1])
rules = []
for line in pathlib.Path("src/lib.rs").read_text().splitlines():
    if not line.startswith("//!"):
        break
    line = re.sub(r"\[`(\w+)`\](\([^)]*\))?", r"`\1`", line[3:])
    rules.append(f" *{line}")
text = header.read_text().replace("@RULES@", "\n".join(["", "/**", *rules, " */"]))
text = re.sub(r"\* # Safety\n\s*\*\n", "* The arguments:\n", text)
# Links are for rustdoc.
text = re.sub(r"\[`(\w+)`\](\([^)\n]*\))?", r"`\1`", text)
header.write_text(text)
PYTHON

if [[ "${1:-}" == --check ]]; then
    diff -u include/hvloop.h "$made/hvloop.h" || {
        echo "include/hvloop.h is not what src makes: run capi/header.sh" >&2
        exit 1
    }
else
    cp "$made/hvloop.h" include/hvloop.h
fi
