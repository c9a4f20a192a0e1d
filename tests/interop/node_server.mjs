// A WebSocket server for the interoperability tests; see README.md.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { WebSocketServer } from "ws";

const MESSAGE_LIMIT = 64 << 20;
const REPORT_LIMIT = 30_000;
const TEXT = ["hé", "llo wör", "", "ld €"];
const BYTES = Buffer.from(Array.from({ length: 3000 }, (_, i) => i % 256));
const BINARY = [BYTES.subarray(0, 1000), BYTES.subarray(1000, 2000), BYTES.subarray(0, 0), BYTES.subarray(2000)];

/** What the clients did. */
const report = { open: 0, messages: 0, pongs: 0, closes: [] };
/** Called after each end of a connection. */
let onEnd = () => {};

/** Sends one message in parts, with a Ping after each part but the last. */
function sendFragments(ws, parts) {
  parts.forEach((part, number) => {
    const fin = number + 1 === parts.length;
    ws.send(part, { fin, binary: Buffer.isBuffer(part) });
    if (!fin) ws.ping();
  });
}

function handle(ws, request) {
  const url = new URL(request.url, "ws://localhost");
  let serverFirst = false;
  report.open += 1;
  ws.on("pong", () => (report.pongs += 1));
  // The end of the connection is recorded by "close", which always follows an error.
  ws.on("error", () => {});
  ws.on("close", (code, reason) => {
    report.open -= 1;
    report.closes.push({
      path: url.pathname,
      code,
      reason: reason.toString(),
      clean: code !== 1006,
      client_first: code !== 1006 && !serverFirst,
    });
    onEnd();
  });
  ws.on("message", (data, binary) => {
    report.messages += 1;
    ws.send(data, { binary });
  });
  if (url.pathname === "/close") {
    serverFirst = true;
    ws.close(Number(url.searchParams.get("code") ?? 1000), url.searchParams.get("reason") ?? "");
  } else if (url.pathname === "/fragments") {
    sendFragments(ws, TEXT);
    sendFragments(ws, BINARY);
  }
}

/** Resolves when `count` connections have ended, or after the limit. */
function ended(count) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, REPORT_LIMIT);
    onEnd = () => {
      if (report.closes.length < count) return;
      clearTimeout(timer);
      resolve();
    };
    onEnd();
  });
}

const { values: options } = parseArgs({
  options: { port: { type: "string", default: "0" }, cert: { type: "string" }, key: { type: "string" } },
});
const http = options.cert
  ? createTlsServer({ cert: readFileSync(options.cert), key: readFileSync(options.key) })
  : createServer();
const server = new WebSocketServer({ server: http, maxPayload: MESSAGE_LIMIT, perMessageDeflate: false });
server.on("connection", handle);
http.listen(Number(options.port), "127.0.0.1", async () => {
  console.log(`LISTEN ${http.address().port}`);
  for await (const line of createInterface({ input: process.stdin })) {
    const [command, count] = line.split(" ");
    if (command === "report") {
      await ended(Number(count ?? 0));
      console.log(JSON.stringify(report));
    } else {
      console.log(JSON.stringify({ error: `unknown command: ${line}` }));
    }
  }
  process.exit(0);
});
