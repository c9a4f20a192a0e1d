"""Runs the Autobahn cases against a WebSocket client and judges the results; see README.md.

Usage: run_client.py [--limit SECONDS] [--short] [--report FILE] [--no-takeover-option OPTION] -- COMMAND ...
The URL of the suite is appended to the command. With --no-takeover-option the cases that need an offer of
`client_no_context_takeover` are a run of their own, with that option before the URL.
"""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from kosoku import FailureError, run_fuzzingserver

from verdict import offers_no_takeover, plain, report, selection, summarize

# Seconds from the client's end to the results.
RESULT_LIMIT = 10


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


async def run(command: list[str], limit: float, cases: list[str]) -> tuple[list[dict[str, str]], list[str]]:
    """Answers the results and what went wrong with the run as a whole."""
    complaints = []
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
    return plain(results), complaints


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, default=1800, help="seconds for the client")
    parser.add_argument("--short", action="store_true", help="fewer compressed cases")
    parser.add_argument("--report", type=Path, help="file for the results, JSON")
    parser.add_argument("--no-takeover-option", help="of the client: it offers client_no_context_takeover")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    cases = selection(options.short)
    runs = [(options.command, cases)]
    if option := options.no_takeover_option:
        apart = [case for case in cases if offers_no_takeover(case)]
        runs = [
            (options.command, [case for case in cases if case not in apart]),
            ([*options.command, option], apart),
        ]
    results, complaints = [], []
    for command, cases in runs:
        more, wrong = asyncio.run(run(command, options.limit, cases))
        results += more
        complaints += wrong
    report(options.report, results)
    sys.exit(0 if summarize(results, complaints, options.short) else 1)


if __name__ == "__main__":
    main()
