#!/usr/bin/env python3
"""Puts the deliberate bugs into a copy of the sources, all at once, and prints the copy's path.

    tests/mutants/apply.py           target/mutated, made or brought up to date
    tests/mutants/apply.py --fix     first corrects the paths of patches whose file has moved

Each `*.toml` here has patches:

    [[patch]]
    file = "event/src/core/tick.rs"
    find = '''...'''     what stands there exactly once
    put = '''...'''      what stands there in the copy

A `[[support]]` is the same without a bug of its own: what the bugs need. Without `find` it is a new file.

In the copy each bug is off until `mutant!("its_name")` is switched on at run time (event/src/mutant.rs). A patch
that cannot be applied, two that touch the same text, and a bug that nothing looks for are failures.
"""

import pathlib
import re
import subprocess
import sys
import tomllib

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / "target" / "mutated"
NAME = re.compile(r'\bmutant!\("(\w+)"\)')
# Where the tests are named that must find a bug.
WANTED = ["tests/mutants.txt", "tests/simulation/src/mutants.rs", "tests/loom.sh"]


class Patch:
    def __init__(self, table, file, find, put, support=False):
        self.table, self.file, self.find, self.put, self.support = table, file, find, put, support
        self.names = sorted(set(NAME.findall(put)) - set(NAME.findall(find or "")))

    def __str__(self):
        nameless = "support" if self.support else "a patch without a bug"
        return f"{self.table}: {', '.join(self.names) or nameless}"

    def changed(self, text):
        """Where `text` changes, and what to: without what the two texts have in common at their ends."""
        start = text.index(self.find)
        common = 0
        while common < min(len(self.find), len(self.put)) and self.find[common] == self.put[common]:
            common += 1
        find, put = self.find[common:], self.put[common:]
        while find and put and find[-1] == put[-1]:
            find, put = find[:-1], put[:-1]
        return start + common, start + common + len(find), put


def patches():
    found = []
    for table in sorted((ROOT / "tests/mutants").glob("*.toml")):
        entries = tomllib.loads(table.read_text())
        for kind in ["patch", "support"]:
            for entry in entries.pop(kind, []):
                find = entry.get("find") if kind == "support" else entry["find"]
                support = kind == "support"
                found.append(Patch(f"tests/mutants/{table.name}", entry["file"], find, entry["put"], support))
        if entries:
            raise SystemExit(f"tests/mutants/{table.name}: what is {', '.join(entries)}?")
    return found


def sources():
    """The files of the repository, committed or not."""
    command = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode().split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def mutate(patches, read, problems):
    """The new text of each file that a patch changes."""
    by_file = {}
    mutated = {}
    for patch in patches:
        text = read(patch.file)
        if patch.find is None:
            if text is not None or patch.file in mutated:
                problems.append(f"{patch}: {patch.file} is there already")
            mutated[patch.file] = patch.put
            continue
        count = 0 if text is None else text.count(patch.find)
        if not patch.names and not patch.support:
            problems.append(f"{patch}, in {patch.file}")
        elif count != 1:
            there = "the file is not there" if text is None else f"its text is there {count} times"
            problems.append(f"{patch}: in {patch.file} {there}:\n{patch.find.rstrip()}")
        else:
            by_file.setdefault(patch.file, []).append(patch)
    for file, found in by_file.items():
        text = read(file)
        changes = sorted((*patch.changed(text), patch) for patch in found)
        out, done = [], 0
        for n, (start, end, put, patch) in enumerate(changes):
            if n > 0 and (start < done or start == changes[n - 1][0]):
                problems.append(f"{patch}: touches the same text of {file} as {changes[n - 1][3]}")
            out += [text[done:start], put]
            done = end
        mutated[file] = "".join(out) + text[done:]
    return mutated


def unwanted(names, read):
    tables = "".join(read(table) or "" for table in WANTED)
    return [name for name in sorted(names) if not re.search(rf"\b{name}\b", tables)]


def fix(patches):
    """Names the file that has a patch's text now, where that is one."""
    rust = [name for name in sources() if name.endswith(".rs") and name.startswith(("event/src/", "ws/src/"))]
    texts = {name: (ROOT / name).read_text() for name in rust}
    moved = {}
    for patch in patches:
        if patch.find is None or patch.find in texts.get(patch.file, ""):
            continue
        now = [name for name, text in texts.items() if text.count(patch.find) == 1]
        if len(now) == 1:
            moved.setdefault(patch.table, []).append((patch, now[0]))
    for table, found in moved.items():
        path = ROOT / table
        text = path.read_text()
        for patch, now in found:
            old = f"file = \"{patch.file}\"\nfind = '''\n{patch.find}'''"
            text = text.replace(old, old.replace(patch.file, now, 1), 1)
            print(f"{patch}: {patch.file} is {now}", file=sys.stderr)
        path.write_text(text)


def write(mutated):
    """Only what differs, so that a build takes what it has of the rest."""
    wanted = sorted({*sources(), *mutated})
    for name in wanted:
        to = COPY / name
        new = mutated[name].encode() if name in mutated else (ROOT / name).read_bytes()
        if not to.is_file() or to.read_bytes() != new:
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(new)
        if (ROOT / name).is_file():
            to.chmod((ROOT / name).stat().st_mode)
    known = set(wanted)
    for path in sorted(COPY.rglob("*"), reverse=True):
        inside = path.relative_to(COPY)
        if path.is_file() and str(inside) not in known:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def main():
    if "--fix" in sys.argv[1:]:
        fix(patches())

    def read(file):
        path = ROOT / file
        return path.read_text() if path.is_file() else None

    problems = []
    found = patches()
    mutated = mutate(found, read, problems)
    names = {name for patch in found for name in patch.names}
    problems += [f"{name}: no test is named that finds it" for name in unwanted(names, read)]
    if problems:
        print("\n".join(problems), file=sys.stderr)
        print(f"{len(problems)} of the deliberate bugs cannot be applied", file=sys.stderr)
        return 1
    write(mutated)
    print(COPY)
    return 0


if __name__ == "__main__":
    sys.exit(main())
