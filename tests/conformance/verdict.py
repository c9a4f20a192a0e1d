"""What an Autobahn run counts as; see README.md."""

import json
from collections import Counter, defaultdict
from pathlib import Path

# Sections 8 and 11 have no cases; 12 and 13 are about permessage-deflate.
PLAIN = [f"{section}.*" for section in [1, 2, 3, 4, 5, 6, 7, 9, 10]]
KINDS = [f"12.{kind}" for kind in range(1, 6)] + [f"13.{kind}" for kind in range(1, 8)]
ALL = PLAIN + [f"{kind}.*" for kind in KINDS]
# Of the compressed cases, which take minutes, those with the first sizes.
SHORT = PLAIN + [f"{kind}.{size}" for kind in KINDS for size in range(1, 5)]
# Here the suite's server asks for client_no_context_takeover, which it does of a client that offers it only.
NO_TAKEOVER = ("13.2.", "13.5.", "13.6.")
EXPECTED_CASES = {False: 517, True: 349}
# Bad UTF-8 in a frame that arrives in portions: a client may notice it when the frame is whole.
MAY_BE_NON_STRICT = {"6.4.3", "6.4.4"}
# The suite itself gives no verdict on these.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}


def judge(result: dict[str, str]) -> str:
    """What a case counts as: passed, non-strict, informational, or failed."""
    verdicts = {result["behavior"], result["behaviorClose"]}
    if verdicts == {"OK"}:
        return "passed"
    if result["id"] in MAY_BE_NON_STRICT and verdicts <= {"OK", "NON-STRICT"}:
        return "non-strict"
    if result["id"] in INFORMATIONAL and verdicts <= {"OK", "INFORMATIONAL"}:
        return "informational"
    return "failed"


def summarize(results: list[dict[str, str]], complaints: list[str], short: bool) -> bool:
    """Prints the table and the closing line. Answers whether all is well."""
    columns = ["passed", "non-strict", "informational", "failed"]
    table: dict[str, Counter[str]] = defaultdict(Counter)
    ids = {result["id"] for result in results}
    expected = EXPECTED_CASES[short]
    if len(results) != expected or len(ids) != expected:
        complaints.append(f"{len(ids)} cases were run, {expected} expected")
    for result in results:
        verdict = judge(result)
        table[result["id"].split(".")[0]][verdict] += 1
        if verdict in ("failed", "non-strict"):
            print(
                f"{verdict}: {result['id']}: {result['behavior']} / {result['behaviorClose']}:"
                f" {result['result']} {result['resultClose']}"
            )
    print(f"{'section':>8}" + "".join(f"{column:>15}" for column in columns))
    for section in sorted(table, key=int):
        print(f"{section:>8}" + "".join(f"{table[section][c]:>15}" for c in columns))
    total = sum(table.values(), Counter())
    print(f"{'all':>8}" + "".join(f"{total[column]:>15}" for column in columns))

    passed = len(results) - total["failed"]
    # A case that did not run has not passed; a complaint about the run as a whole is a failure too.
    failed = max(total["failed"], expected - passed, 1 if complaints else 0)
    for complaint in complaints:
        print(f"error: {complaint}")
    print(f"{passed} passed, {failed} failed")
    return failed == 0


def selection(short: bool) -> list[str]:
    """The cases, as the suite wants them named."""
    return SHORT if short else ALL


def offers_no_takeover(case: str) -> bool:
    """Whether a case, or a pattern of cases, needs a client that offers client_no_context_takeover."""
    return case.startswith(NO_TAKEOVER)


def plain(results) -> list[dict[str, str]]:
    """The suite's results as they are reported."""
    return [
        {
            "id": result.case_id,
            "agent": result.agent,
            "behavior": result.behavior.value,
            "behaviorClose": result.behavior_close.value,
            "result": result.result,
            "resultClose": result.result_close,
        }
        for result in results
    ]


def report(file: Path | None, results: list[dict[str, str]]) -> None:
    """Writes them to a file, if there is one."""
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(results, indent=1))
