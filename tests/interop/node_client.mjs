// A WebSocket client for the interoperability tests; see README.md.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import WebSocket from "ws";
import { scenario } from "./scenario.mjs";

const { values, positionals } = parseArgs({ options: { ca: { type: "string" } }, allowPositionals: true });
const ca = values.ca && readFileSync(values.ca);
const modes = [
  { path: "/plain", offer: true },
  { path: "/deflate", offer: true },
  { path: "/deflate", offer: false },
];
const connect = (url, offer) => new WebSocket(url, { ca, perMessageDeflate: offer });
console.log(JSON.stringify(await scenario(connect, positionals[0], modes)));
