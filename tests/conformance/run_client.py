"""Runs the Autobahn cases against a WebSocket client and judges the results; see README.md.

Usage: run_client.py [--limit SECONDS] [--report FILE] -- COMMAND ...
The URL of the suite is appended to the command.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections import Counter, defaultdict
from pathlib import Path

from kosoku import FailureError, run_fuzzingserver

# Section 8 has no cases; 11 to 13 (compression) are not claimed yet.
SECTIONS = [1, 2, 3, 4, 5, 6, 7, 9, 10]
EXPECTED_CASES = 301
# Bad UTF-8 in a frame that arrives in portions: a client may notice it when the frame is whole.
MAY_BE_NON_STRICT = {"6.4.3", "6.4.4"}
# The suite itself gives no verdict on these.
INFORMATIONAL = {"7.1.6", "7.13.1", "7.13.2"}
# Seconds from the client's end to the results.
RESULT_LIMIT = 10


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


def summarize(results: list[dict[str, str]], complaints: list[str]) -> bool:
    """Prints the table and the closing line. Answers whether all is well."""
    columns = ["passed", "non-strict", "informational", "failed"]
    table: dict[str, Counter[str]] = defaultdict(Counter)
    ids = {result["id"] for result in results}
    if len(results) != EXPECTED_CASES or len(ids) != EXPECTED_CASES:
        complaints.append(f"{len(ids)} cases were run, {EXPECTED_CASES} expected")
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
    failed = max(total["failed"], EXPECTED_CASES - passed, 1 if complaints else 0)
    for complaint in complaints:
        print(f"error: {complaint}")
    print(f"{passed} passed, {failed} failed")
    return failed == 0


async def run_client(command: list[str], url: str, limit: float) -> str | None:
    """Runs the client. Answers what went wrong with it, if anything did."""
    client = await asyncio.create_subprocess_exec(
        *command,
        url,
        # A group of its own, so that a client that hangs ends with all its children.
        start_new_session=True,
    )
    try:
        status = await asyncio.wait_for(client.wait(), limit)
    except TimeoutError:
        os.killpg(client.pid, signal.SIGKILL)
        await client.wait()
        return f"the client did not end within {limit:g} s"
    return None if status == 0 else f"the client ended with status {status}"


async def run(command: list[str], limit: float) -> tuple[list[dict[str, str]], list[str]]:
    """Answers the results and what went wrong with the run as a whole."""
    complaints = []
    cases = [f"{section}.*" for section in SECTIONS]
    async with run_fuzzingserver(cases, host="127.0.0.1", port=0) as server:
        url = f"ws://{server.address}:{server.port}"
        if complaint := await run_client(command, url, limit):
            complaints.append(complaint)
        try:
            results = await asyncio.wait_for(server.get_result(), RESULT_LIMIT)
        except FailureError as failure:
            results = failure.results
        except TimeoutError:
            complaints.append("no results: the client did not end the run with /updateReports")
            results = []
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
    ], complaints


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, default=900, help="seconds for the client")
    parser.add_argument("--report", type=Path, help="file for the results, JSON")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    results, complaints = asyncio.run(run(options.command, options.limit))
    if options.report:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(json.dumps(results, indent=1))
    sys.exit(0 if summarize(results, complaints) else 1)


if __name__ == "__main__":
    main()
