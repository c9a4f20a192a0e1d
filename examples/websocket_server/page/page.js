// Two WebSockets: /echo, which the user plays with, and /live, where the server tells its figures.

import { Chart } from "./chart.js";

const $ = (id) => document.getElementById(id);
const server = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}`;
const count = (n) => Math.round(n).toLocaleString("en");
const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

// ---- the log ----

const LOG_LINES = 100;

function log(kind, what, bad = false) {
  const line = document.createElement("li");
  const part = (tag, name, text) => {
    const element = line.appendChild(document.createElement(tag));
    element.className = name;
    element.textContent = text;
  };
  part("time", "", new Date().toLocaleTimeString("en-GB"));
  part("span", "kind", kind);
  part("span", bad ? "what bad" : "what", what);
  $("log").prepend(line);
  while ($("log").childElementCount > LOG_LINES) $("log").lastElementChild.remove();
}

// ---- the echo ----

let echo = null;
let waiting = []; // what was sent and has no reply yet, the oldest first: replies come in that order
let burst = null;
let lastTrip = null; // ms
let demo = new URLSearchParams(location.search).has("demo"); // begin with a burst

function openEcho() {
  const socket = new WebSocket(`${server}/echo`);
  socket.binaryType = "arraybuffer";
  echo = socket;
  waiting = [];
  show("connecting");
  socket.onopen = () => {
    show("open");
    log("open", socket.url);
    if (demo) startBurst(20_000);
    demo = false;
  };
  socket.onmessage = (event) => reply(event.data);
  socket.onclose = (event) => {
    show("closed");
    $("end-code").textContent = event.code;
    $("end-reason").textContent = event.reason || "none";
    $("end-clean").textContent = event.wasClean;
    log("close", `${event.code} ${event.reason}`, !event.wasClean);
    stopBurst();
  };
}

function show(state) {
  $("state").textContent = $("state").dataset.state = state;
  const open = state === "open";
  for (const button of document.querySelectorAll("form button:not([type])")) button.disabled = !open;
  $("close-button").hidden = state === "closed";
  $("open-button").hidden = state !== "closed";
}

function send(data, ofBurst = false) {
  waiting.push({ data, ofBurst, at: performance.now() });
  echo.send(data);
}

function reply(data) {
  const sent = waiting.shift();
  if (!sent) return log("reply", "to nothing that was sent", true);
  const trip = performance.now() - sent.at;
  const text = typeof data === "string";
  const bytes = text ? null : new Uint8Array(data);
  const right = text ? data === sent.data : sent.data instanceof Uint8Array && same(bytes, sent.data);
  lastTrip = trip;
  if (sent.ofBurst) return burstReply(right);
  const hex = text ? "" : Array.from(bytes.slice(0, 16), (b) => b.toString(16).padStart(2, "0")).join(" ");
  const what = text ? data : `${count(bytes.length)} bytes: ${hex}${bytes.length > 16 ? " …" : ""}`;
  log(text ? "text" : "binary", `${what} (${right ? "as sent" : "not what was sent"}, ${trip.toFixed(1)} ms)`, !right);
}

// ---- a burst: it swells and falls over some seconds, and keeps a window of messages in flight ----

const BURST_MS = 8_000;
const WINDOW = 4_096;

function startBurst(total) {
  stopBurst();
  burst = { total, sent: 0, back: 0, wrong: 0, began: performance.now() };
  $("burst-form").querySelector("button").disabled = true;
  burst.timer = setInterval(burstStep, 20);
}

function burstStep() {
  const part = Math.min(1, (performance.now() - burst.began) / BURST_MS);
  const due = Math.ceil(burst.total * (part - Math.sin(2 * Math.PI * part) / (2 * Math.PI)));
  while (burst.sent < due && waiting.length < WINDOW) {
    const n = burst.sent++;
    send(n % 2 ? new Uint8Array(64).fill(n) : `burst ${n}`, true);
  }
  if (burst.sent === burst.total) clearInterval(burst.timer);
}

function burstReply(right) {
  burst.back += 1;
  burst.wrong += right ? 0 : 1;
  if (burst.back < burst.total) return;
  const seconds = ((performance.now() - burst.began) / 1000).toFixed(1);
  log("burst", `${count(burst.total)} messages came back in ${seconds} s, ${count(burst.wrong)} of them wrong`, burst.wrong > 0);
  stopBurst();
}

function stopBurst() {
  if (!burst) return;
  clearInterval(burst.timer);
  burst = null;
  $("burst-form").querySelector("button").disabled = echo.readyState !== WebSocket.OPEN;
}

// ---- the forms ----

function onSubmit(form, act) {
  $(form).addEventListener("submit", (event) => {
    event.preventDefault();
    act();
  });
}

onSubmit("text-form", () => send($("text").value));
onSubmit("binary-form", () => {
  const bytes = new Uint8Array($("bytes").valueAsNumber);
  // At most 65,536 at once.
  for (let at = 0; at < bytes.length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  send(bytes);
});
onSubmit("burst-form", () => startBurst($("burst").valueAsNumber));
onSubmit("close-form", () => {
  const [code, reason] = [$("code").valueAsNumber, $("reason").value];
  if ($("who").value === "server") return send(`/close ${code} ${reason}`);
  try {
    echo.close(code, reason);
    show("closing");
  } catch (error) {
    log("close", `${error.message}`, true); // a page may send 1000 and 3000 to 4999
  }
});
$("open-button").addEventListener("click", openEcho);

// ---- the server's figures ----

const chart = new Chart($("chart"));
const RETRY_MS = 2_000;
const SAMPLE_MS = 200; // what comes sooner is a connection's coming or going: too short for a rate

function watch() {
  const live = new WebSocket(`${server}/live`);
  let last = null;
  live.onmessage = (event) => {
    const now = JSON.parse(event.data);
    $("connections").textContent = count(now.connections);
    if (now.lastClose) $("last-close").textContent = `${now.lastClose.code} ${now.lastClose.reason}`;
    last ??= now;
    const ms = now.ms - last.ms;
    if (ms < SAMPLE_MS) return;
    const rate = (name) => ((now[name] - last[name]) / ms) * 1000;
    const [incoming, outgoing] = [rate("received"), rate("sent")];
    last = now;
    chart.add(performance.now(), incoming, outgoing);
    $("in").textContent = count(incoming);
    $("out").textContent = count(outgoing);
    $("trip").textContent = lastTrip === null ? "–" : `${lastTrip.toFixed(1)} ms`;
    $("chart").ariaLabel = `Messages a second over the last minute; now ${count(incoming)} in, ${count(outgoing)} out`;
  };
  live.onclose = () => {
    for (const id of ["connections", "in", "out"]) $(id).textContent = "–";
    setTimeout(watch, RETRY_MS);
  };
}

watch();
openEcho();
