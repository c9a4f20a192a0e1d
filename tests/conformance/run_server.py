"""Runs the Autobahn cases against a WebSocket server and judges the results; see README.md.

Usage: run_server.py [--limit SECONDS] [--short] [--report FILE] -- COMMAND ...
The command is a server that says "listening at URL" when it does, and ends at SIGTERM with status 0.
"""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from kosoku import FailureError, run_fuzzingclient

from verdict import plain, report, selection, summarize

# Seconds for the server to begin, and to end.
SERVER_LIMIT = 30


async def address(server: asyncio.subprocess.Process) -> str:
    """The URL that the server says."""
    async for line in server.stdout:
        words = line.decode().split()
        if words[:2] == ["listening", "at"]:
            return words[2]
    raise RuntimeError("the server ended and said no address")


async def stop(server: asyncio.subprocess.Process) -> str | None:
    """Ends the server. Answers what went wrong with that, if anything did."""
    server.send_signal(signal.SIGTERM)
    try:
        status = await asyncio.wait_for(server.wait(), SERVER_LIMIT)
    except TimeoutError:
        os.killpg(server.pid, signal.SIGKILL)
        await server.wait()
        return f"the server did not end within {SERVER_LIMIT} s"
    return None if status == 0 else f"the server ended with status {status}"


async def run(command: list[str], limit: float, short: bool) -> tuple[list[dict[str, str]], list[str]]:
    """Answers the results and what went wrong with the run as a whole."""
    server = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.PIPE,
        # A group of its own, so that a server that hangs ends with all its children.
        start_new_session=True,
    )
    complaints = []
    results = []
    try:
        url = await asyncio.wait_for(address(server), SERVER_LIMIT)
        results = await asyncio.wait_for(run_fuzzingclient(url, cases=selection(short)), limit)
    except FailureError as failure:
        results = failure.results
    except TimeoutError:
        complaints.append(f"no results within {limit:g} s")
    except RuntimeError as error:
        complaints.append(str(error))
    finally:
        if server.returncode is not None:
            complaints.append(f"the server ended before its time, with status {server.returncode}")
        elif complaint := await stop(server):
            complaints.append(complaint)
    return plain(results), complaints


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, default=1800, help="seconds for the cases")
    parser.add_argument("--short", action="store_true", help="fewer compressed cases")
    parser.add_argument("--report", type=Path, help="file for the results, JSON")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args()
    results, complaints = asyncio.run(run(options.command, options.limit, options.short))
    report(options.report, results)
    sys.exit(0 if summarize(results, complaints, options.short) else 1)


if __name__ == "__main__":
    main()
