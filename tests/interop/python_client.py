"""A WebSocket client for the interoperability tests; see README.md."""

import argparse
import asyncio
import json
import ssl
import traceback

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import PerMessageDeflate

MIB = 1 << 20
# 1 MiB that hardly compresses, and 1 MiB of UTF-8.
BIG_BINARY = bytes((n * 2654435761 & 0xFFFFFFFF) >> 13 & 0xFF for n in range(MIB))
BIG_TEXT = "aé€𝄞" * 104857 + "ending"
MESSAGES = ["héllo wörld €", "", bytes([0, 1, 254, 255]), b"", BIG_TEXT, BIG_BINARY]
# What this side closes with, and what the server is asked to close with.
OUR_CLOSES = [(4001, "wir gehören €"), (1000, ""), (None, "")]
THEIR_CLOSES = ["4000 später €", "1000 ", "1011 a fault"]
# The path, and whether permessage-deflate is offered.
MODES = [("/plain", True), ("/deflate", True), ("/deflate", False)]


class Client:
    """Opens connections to one server."""

    def __init__(self, server: str, ca: str | None) -> None:
        self.server = server
        self.context = ssl.create_default_context(cafile=ca) if ca else None

    async def open(self, path: str, offer: bool) -> ClientConnection:
        return await connect(
            self.server + path,
            ssl=self.context,
            compression="deflate" if offer else None,
            max_size=2 * MIB,
            proxy=None,
        )


async def echoes(ws: ClientConnection) -> None:
    """Sends all, and compares what comes back."""
    for message in MESSAGES:
        await ws.send(message)
    for number, message in enumerate(MESSAGES):
        if await ws.recv() != message:
            raise ValueError(f"message {number} came back changed")


async def end(ws: ClientConnection) -> dict[str, object]:
    """Waits for the end; how it was."""
    try:
        raise ValueError(f"a Close expected, but: {await ws.recv()!r}")
    except ConnectionClosed:
        await ws.wait_closed()
    clean = ws.protocol.close_rcvd is not None and ws.protocol.close_sent is not None
    return {"code": ws.close_code, "reason": ws.close_reason, "clean": clean}


def deflates(ws: ClientConnection) -> bool:
    agreed = any(isinstance(extension, PerMessageDeflate) for extension in ws.protocol.extensions)
    if agreed != ("permessage-deflate" in ws.response.headers.get("Sec-WebSocket-Extensions", "")):
        raise ValueError(f"the answer was: {ws.response.headers}")
    return agreed


async def converse(client: Client, path: str, offer: bool) -> tuple[dict, ClientConnection]:
    """All of a mode but the end of its first connection, which stays."""
    stays = await client.open(path + "/echo", offer)
    await echoes(stays)
    closes = []
    for code, reason in OUR_CLOSES:
        closing = await client.open(path + "/echo", offer)
        await closing.close(code, reason)
        closes.append(await end(closing))
    for close in THEIR_CLOSES:
        asking = await client.open(path + "/close", offer)
        await asking.send(close)
        closes.append(await end(asking))
    await stays.send("staying")
    await stays.recv()
    return {"path": path, "offer": offer, "deflate": deflates(stays), "closes": closes}, stays


async def scenario(client: Client) -> dict[str, object]:
    """Runs it in each mode, and ends when the server has ended what stayed open."""
    try:
        talks = [await converse(client, path, offer) for path, offer in MODES]
        for report, stays in talks:
            report["closes"].append(await end(stays))
        return {"error": None, "modes": [report for report, _ in talks]}
    except Exception:
        return {"error": traceback.format_exc(), "modes": []}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ca", help="the authority to trust, PEM")
    parser.add_argument("server", help="its URL, without a path")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(scenario(Client(options.server, options.ca)))))


if __name__ == "__main__":
    main()
