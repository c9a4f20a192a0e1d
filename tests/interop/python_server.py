"""A WebSocket server for the interoperability tests; see README.md."""

import argparse
import asyncio
import json
import ssl
import sys
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

MESSAGE_LIMIT = 64 << 20
REPORT_LIMIT = 30
TEXT = ["hé", "llo wör", "", "ld €"]
BINARY = [bytes(i % 256 for i in range(3000))[part] for part in (
    slice(0, 1000), slice(1000, 2000), slice(0, 0), slice(2000, 3000))]


class Report:
    """What the clients did."""

    def __init__(self) -> None:
        self.open = 0
        self.messages = 0
        self.pongs = 0
        self.closes: list[dict[str, object]] = []
        self.changed = asyncio.Condition()

    def as_json(self) -> str:
        return json.dumps({
            "open": self.open,
            "messages": self.messages,
            "pongs": self.pongs,
            "closes": self.closes,
        })


async def send_fragments(ws: ServerConnection, parts: list, report: Report) -> None:
    """Sends one message in parts, with a Ping after each part but the last."""

    async def with_pings():
        for number, part in enumerate(parts):
            yield part
            if number + 1 < len(parts):
                pong = await ws.ping()
                pong.add_done_callback(lambda done: count_pong(done, report))

    await ws.send(with_pings())


def count_pong(pong: asyncio.Future, report: Report) -> None:
    # The future fails when the connection ends before the Pong came.
    if not pong.cancelled() and pong.exception() is None:
        report.pongs += 1


async def talk(ws: ServerConnection, path: str, query: dict, report: Report) -> None:
    if path == "/close":
        await ws.close(int(query.get("code", ["1000"])[0]), query.get("reason", [""])[0])
        return
    if path == "/fragments":
        await send_fragments(ws, TEXT, report)
        await send_fragments(ws, BINARY, report)
    async for message in ws:
        report.messages += 1
        await ws.send(message)


async def handle(ws: ServerConnection, report: Report) -> None:
    target = urlsplit(ws.request.path)
    report.open += 1
    try:
        await talk(ws, target.path, parse_qs(target.query), report)
    except ConnectionClosed:
        pass  # What matters of the end is recorded below.
    await ws.wait_closed()
    received = ws.protocol.close_rcvd
    report.open -= 1
    report.closes.append({
        "path": target.path,
        "code": received.code if received else 1006,
        "reason": received.reason if received else "",
        "clean": received is not None and ws.protocol.close_sent is not None,
        "client_first": ws.protocol.close_rcvd_then_sent is True,
    })
    async with report.changed:
        report.changed.notify_all()


async def answer_commands(report: Report) -> None:
    """Answers `report N` lines until the input ends."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        words = line.split()
        if not words or words[0] != "report":
            print(json.dumps({"error": f"unknown command: {line.strip()}"}), flush=True)
            continue
        count = int(words[1]) if len(words) > 1 else 0
        try:
            async with asyncio.timeout(REPORT_LIMIT), report.changed:
                await report.changed.wait_for(lambda: len(report.closes) >= count)
        except TimeoutError:
            pass  # The caller sees in the report what is missing.
        print(report.as_json(), flush=True)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--cert", help="certificate chain, PEM")
    parser.add_argument("--key", help="private key, PEM")
    options = parser.parse_args()
    context = None
    if options.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
    report = Report()
    async with serve(
        lambda ws: handle(ws, report),
        "127.0.0.1",
        options.port,
        ssl=context,
        max_size=MESSAGE_LIMIT,
    ) as server:
        print(f"LISTEN {server.sockets[0].getsockname()[1]}", flush=True)
        await answer_commands(report)
        server.close(close_connections=True)


if __name__ == "__main__":
    asyncio.run(main())
