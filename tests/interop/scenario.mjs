// What the clients in JavaScript do, which are Node's `ws` and browsers; see README.md.

const MIB = 1 << 20;

/** 1 MiB that hardly compresses. */
const BIG_BINARY = Uint8Array.from({ length: MIB }, (_, n) => Math.imul(n, 2654435761) >>> 13);
/** 1 MiB of UTF-8. */
const BIG_TEXT = "aé€𝄞".repeat(104857) + "ending";
const MESSAGES = ["héllo wörld €", "", Uint8Array.of(0, 1, 254, 255), new Uint8Array(), BIG_TEXT, BIG_BINARY];
/** What this side closes with: a code and a reason, or nothing. */
const OUR_CLOSES = [[4001, "wir gehören €"], [1000, ""], []];
/** What the server is asked to close with. */
const THEIR_CLOSES = ["4000 später €", "1000 ", "1011 a fault"];

/** A WebSocket whose events are awaited one by one. */
class Connection {
  #events = [];
  #wake = () => {};

  constructor(socket) {
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#push({ type: "open" });
    socket.onmessage = ({ data }) => this.#push({ type: "message", data });
    socket.onclose = ({ code, reason, wasClean }) => this.#push({ type: "close", code, reason, clean: wasClean });
    // A close follows.
    socket.onerror = () => {};
  }

  #push(event) {
    this.#events.push(event);
    this.#wake();
  }

  async next(type) {
    while (this.#events.length === 0) await new Promise((resolve) => (this.#wake = resolve));
    const event = this.#events.shift();
    if (event.type !== type) {
      throw new Error(`${type} expected at ${this.socket.url}, but: ${event.type} ${event.code} ${event.reason}`);
    }
    return event;
  }

  /** The end, as it is reported. */
  async end() {
    const { code, reason, clean } = await this.next("close");
    return { code, reason, clean };
  }
}

function same(sent, received) {
  if (typeof sent === "string") return received === sent;
  const bytes = new Uint8Array(received);
  return received instanceof ArrayBuffer && bytes.length === sent.length && bytes.every((byte, n) => byte === sent[n]);
}

/** Sends all, and compares what comes back. */
async function echoes(connection) {
  for (const message of MESSAGES) connection.socket.send(message);
  for (const [number, message] of MESSAGES.entries()) {
    const { data } = await connection.next("message");
    if (!same(message, data)) throw new Error(`message ${number} came back changed`);
  }
}

/** All of a mode but the end of its first connection, `stays`. */
async function converse(open) {
  const stays = await open("/echo");
  await echoes(stays);
  const closes = [];
  for (const codeAndReason of OUR_CLOSES) {
    const closing = await open("/echo");
    closing.socket.close(...codeAndReason);
    closes.push(await closing.end());
  }
  for (const close of THEIR_CLOSES) {
    const asking = await open("/close");
    asking.socket.send(close);
    closes.push(await asking.end());
  }
  stays.socket.send("staying");
  await stays.next("message");
  return { deflate: stays.socket.extensions.includes("permessage-deflate"), closes, stays };
}

/**
 * Runs the scenario in each mode, ends when the server has ended what stayed open, and returns what is
 * reported. `connect` makes a WebSocket of a URL, and offers permessage-deflate if told to.
 */
export async function scenario(connect, server, modes) {
  try {
    const talks = [];
    for (const { path, offer } of modes) {
      const open = async (rest) => {
        const connection = new Connection(connect(server + path + rest, offer));
        await connection.next("open");
        return connection;
      };
      talks.push({ path, offer, ...(await converse(open)) });
    }
    for (const { closes, stays } of talks) closes.push(await stays.end());
    return { error: null, modes: talks.map(({ stays, ...report }) => report) };
  } catch (error) {
    return { error: String(error.stack ?? error), modes: [] };
  }
}
