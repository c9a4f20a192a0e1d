// Messages a second over the last minute, in above the axis and out below it: it moves with the clock.

const SPAN = 60_000; // ms from one edge to the other
const LATE = 300; // ms that it is behind, so that the next sample is there when it is drawn
const GAP = 1_500; // ms without a sample: there is no line over it
const PAD = { left: 58, right: 12, top: 10, bottom: 24 };

/** 1, 2 or 5 times a power of ten, not less than `n`. */
function nice(n) {
  const power = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 5, 10].map((m) => m * power).find((m) => m >= n);
}

export class Chart {
  #canvas;
  #samples = []; // { at, in, out }, by time
  #top = 10; // what the scale reaches, on its way to `#target`
  #target = 10;
  #drawn = 0; // when, in ms
  #pointer = null; // where it is, in px
  #colours = {};
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.#resize()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#resize());
    canvas.addEventListener("pointermove", (event) => (this.#pointer = event.offsetX));
    canvas.addEventListener("pointerleave", () => (this.#pointer = null));
    this.#resize();
    const frame = (now) => {
      if (!this.#still.matches) this.#draw(now);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  add(at, incoming, outgoing) {
    this.#samples.push({ at, in: incoming, out: outgoing });
    while (this.#samples[0].at < at - SPAN - 2 * GAP) this.#samples.shift();
    const highest = this.#samples.reduce((max, s) => Math.max(max, s.in, s.out), 10);
    this.#target = nice(highest);
    if (this.#still.matches) this.#draw(at + LATE);
  }

  #resize() {
    const ratio = devicePixelRatio || 1;
    this.#canvas.width = Math.round(this.#canvas.clientWidth * ratio);
    this.#canvas.height = Math.round(this.#canvas.clientHeight * ratio);
    const style = getComputedStyle(this.#canvas);
    for (const name of ["in", "out", "line", "text", "quiet", "card"]) {
      this.#colours[name] = style.getPropertyValue(`--${name}`).trim();
    }
    this.#draw(performance.now());
  }

  #draw(now) {
    // The scale follows in a third of a second or so, whatever the frame rate.
    const step = this.#still.matches ? 1 : 1 - Math.exp(-Math.max(0, now - this.#drawn) / 150);
    this.#top += (this.#target - this.#top) * step;
    this.#drawn = now;

    const ratio = devicePixelRatio || 1;
    const context = this.#canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const width = this.#canvas.clientWidth;
    const height = this.#canvas.clientHeight;
    context.clearRect(0, 0, width, height);
    const plot = {
      left: PAD.left,
      right: width - PAD.right,
      top: PAD.top,
      bottom: height - PAD.bottom,
      middle: (PAD.top + height - PAD.bottom) / 2,
    };
    const end = now - LATE;
    const x = (at) => plot.right - ((end - at) / SPAN) * (plot.right - plot.left);
    const y = (rate) => plot.middle - (rate / this.#top) * (plot.middle - plot.top);
    context.font = "12px system-ui, sans-serif";
    this.#grid(context, plot, y);
    context.save();
    context.beginPath();
    context.rect(plot.left, 0, plot.right - plot.left, height);
    context.clip();
    this.#side(context, x, y, plot, "in", 1);
    this.#side(context, x, y, plot, "out", -1);
    context.restore();
    this.#axis(context, plot, y);
    this.#inspect(context, plot, x, y);
  }

  #grid(context, plot, y) {
    context.strokeStyle = this.#colours.line;
    context.fillStyle = this.#colours.quiet;
    context.lineWidth = 1;
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const part of [1, 0.5, -0.5, -1]) {
      const rate = this.#target * part;
      const at = Math.round(y(rate)) + 0.5;
      if (at < plot.top - 1 || at > plot.bottom + 1) continue; // on its way in
      context.beginPath();
      context.moveTo(plot.left, at);
      context.lineTo(plot.right, at);
      context.stroke();
      context.fillText(Math.abs(rate).toLocaleString("en"), plot.left - 8, at);
    }
    context.textBaseline = "alphabetic";
    const narrow = plot.right - plot.left < 480;
    for (const seconds of narrow ? [0, 30, 60] : [0, 15, 30, 45, 60]) {
      const at = plot.right - ((seconds * 1000) / SPAN) * (plot.right - plot.left);
      context.textAlign = { 0: "right", 60: "left" }[seconds] ?? "center";
      context.fillText(seconds ? `${seconds} s ago` : "now", at, plot.bottom + 19);
    }
  }

  #axis(context, plot) {
    context.strokeStyle = this.#colours.quiet;
    context.beginPath();
    context.moveTo(plot.left, Math.round(plot.middle) + 0.5);
    context.lineTo(plot.right, Math.round(plot.middle) + 0.5);
    context.stroke();
    context.textAlign = "right";
    context.textBaseline = "middle";
    context.fillText("0", plot.left - 8, plot.middle);
  }

  /** One half: a line for each run of samples without a gap, and the area under it. */
  #side(context, x, y, plot, name, sign) {
    let run = [];
    const finish = () => {
      if (run.length > 1) {
        context.beginPath();
        for (const sample of run) context.lineTo(x(sample.at), y(sign * sample[name]));
        context.strokeStyle = this.#colours[name];
        context.lineWidth = 2;
        context.lineJoin = "round";
        context.stroke();
        context.lineTo(x(run.at(-1).at), plot.middle);
        context.lineTo(x(run[0].at), plot.middle);
        context.globalAlpha = 0.22;
        context.fillStyle = this.#colours[name];
        context.fill();
        context.globalAlpha = 1;
      }
      run = [];
    };
    for (const sample of this.#samples) {
      if (run.length > 0 && sample.at - run.at(-1).at > GAP) finish();
      run.push(sample);
    }
    finish();
  }

  /** The sample under the pointer. */
  #inspect(context, plot, x, y) {
    if (this.#pointer === null || this.#samples.length === 0) return;
    const far = (sample) => Math.abs(x(sample.at) - this.#pointer);
    const seen = this.#samples.filter((s) => x(s.at) >= plot.left && x(s.at) <= plot.right);
    if (seen.length === 0) return;
    const sample = seen.reduce((best, s) => (far(s) < far(best) ? s : best));
    const at = x(sample.at);
    context.strokeStyle = this.#colours.quiet;
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(at, plot.top);
    context.lineTo(at, plot.bottom);
    context.stroke();
    for (const [name, sign] of [["in", 1], ["out", -1]]) {
      context.fillStyle = this.#colours[name];
      context.beginPath();
      context.arc(at, y(sign * sample[name]), 4, 0, 2 * Math.PI);
      context.fill();
    }
    const text = `in ${Math.round(sample.in).toLocaleString("en")}/s, out ${Math.round(sample.out).toLocaleString("en")}/s`;
    const width = context.measureText(text).width + 16;
    const left = Math.min(Math.max(at - width / 2, plot.left), plot.right - width);
    context.fillStyle = this.#colours.card;
    context.strokeStyle = this.#colours.line;
    context.beginPath();
    context.roundRect(left, plot.top, width, 24, 6);
    context.fill();
    context.stroke();
    context.fillStyle = this.#colours.text;
    context.textAlign = "left";
    context.textBaseline = "middle";
    context.fillText(text, left + 8, plot.top + 12.5);
  }
}
