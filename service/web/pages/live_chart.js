// A moving picture of one blaster: probability and envelope with the threshold, wheels and shots; acceleration; rotation.
// The server pushes only new points. They are kept in rings for five minutes and drawn once a frame of the display.
// With `still`, the picture is of a recording instead: all of it is pushed at once, and it moves only by hand.
// All times are in milliseconds: by the blaster's own clock, or, if still, after the first sample.

const LIVE_KEPT = 32768;
const LOOK_BACK_S = 300;
const RECORD_BYTES = 17;
const POINT_BYTES = 12;
const MARKS_KEPT = 1000;
const BEHIND_MS = 120; // the right edge stays behind the newest sample, so that it moves evenly between pushes
const STILL_AFTER_MS = 200; // without new samples, the picture moves on for so long
const JUMP_MS = 1000; // a larger distance to the newest sample is a jump, not a scroll
const LSB_PER_G = 2048;
const LSB_PER_DEG_S = 16.384;
const GAP_MS = 50;
const UNCOUNTED = ["burst", "not a shot", "left out"];

// Okabe and Ito's colours, which people with any kind of colour blindness can distinguish; lines differ in dashes as well.
const LIGHT = { ink: "#1d1d1f", paper: "#ffffff", grid: "#d4d4d8", wheels: "#f0d9a8", lines: ["#0072b2", "#b34700", "#00664a"] };
const DARK = { ink: "#ececf1", paper: "#17171a", grid: "#3f3f46", wheels: "#5c4a1e", lines: ["#56b4e9", "#e69f00", "#2fd6a6"] };
const DASHES = [[], [6, 3], [2, 2]];

class Ring {
  constructor(width, kept) {
    this.width = width;
    this.kept = kept;
    this.times = new Float64Array(kept);
    this.values = new Float32Array(kept * width);
    this.clear();
  }
  clear() {
    this.count = 0;
  }
  add(time, read) {
    const slot = this.count % this.kept;
    this.times[slot] = time;
    for (let i = 0; i < this.width; i++) this.values[slot * this.width + i] = read(i);
    this.count++;
  }
  get newest() {
    return this.count ? this.times[(this.count - 1) % this.kept] : -1;
  }
  // The position of the first point at or after `time`.
  find(time) {
    let low = Math.max(0, this.count - this.kept);
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle % this.kept] < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new DataView(bytes.buffer);
}

export default {
  template: `
    <div class="live-chart">
      <canvas ref="canvas" role="img" :aria-label="label" :class="{ still, two: models > 1 }"
        @pointerdown="selectFrom" @pointermove="selectTo" @pointerup="selected" @pointercancel="dragged = null"></canvas>
      <div class="live-chart-bar">
        <button v-if="!still" type="button" @click="togglePause" :aria-pressed="paused ? 'true' : 'false'">
          {{ paused ? "Continue" : "Pause" }}
        </button>
        <label>Show
          <select v-model.number="spanS">
            <option :value="5">5 s</option><option :value="10">10 s</option>
            <option :value="30">30 s</option><option :value="120">2 min</option>
            <option v-if="still" :value="0">all</option>
          </select>
        </label>
        <label v-if="still" class="live-chart-back">Position
          <input type="range" :min="startS" :max="lengthS" step="0.1" v-model.number="centreS"
            :aria-valuetext="centreS.toFixed(1) + ' s after the first sample'" />
          <span>{{ centreS.toFixed(1) }} s</span>
        </label>
        <label v-else class="live-chart-back">Look back
          <input type="range" min="0" :max="furthestS" step="0.5" v-model.number="backS" @input="paused = true"
            :aria-valuetext="backS.toFixed(1) + ' s before the newest sample'" />
          <span>{{ backS.toFixed(1) }} s</span>
        </label>
      </div>
    </div>`,
  props: { label: String, still: Boolean, kept: { type: Number, default: LIVE_KEPT }, models: { type: Number, default: 1 } },
  emits: ["select"],
  data() {
    return { paused: false, spanS: this.still ? 0 : 10, backS: 0, furthestS: LOOK_BACK_S, centreS: 0, startS: 0, lengthS: 0 };
  },
  created() {
    // Not reactive: thousands of points a second would be watched one by one.
    this.samples = new Ring(6, this.kept);
    this.scores = new Ring(2, this.kept);
    this.compared = new Ring(2, this.models > 1 ? this.kept : 1); // the scores of the second model
    this.marks = [];
    this.comparedMarks = [];
    this.leftOut = []; // pairs of times
    this.selection = null; // a pair of times
    this.dragged = null; // the time at which a drag began
    this.threshold = null;
    this.comparedThreshold = null;
    this.edge = 0;
    this.pausedAt = 0;
    this.frames = 0;
    this.drawnAt = 0;
    this.drawn = "";
  },
  mounted() {
    this.darkQuery = window.matchMedia("(prefers-color-scheme: dark)");
    const frame = (now) => {
      this.draw(now);
      this.request = requestAnimationFrame(frame);
    };
    this.request = requestAnimationFrame(frame);
  },
  unmounted() {
    cancelAnimationFrame(this.request);
  },
  methods: {
    togglePause() {
      this.paused = !this.paused;
      if (!this.paused) this.backS = 0;
    },
    // Show `spanS` seconds around `time`.
    show(time, spanS) {
      this.spanS = spanS;
      this.centreS = time / 1000;
    },
    push(news) {
      if (news.restart) {
        this.samples.clear();
        this.scores.clear();
        this.marks = [];
      }
      if (news.newMarks) this.marks = [];
      if (news.samples) this.addSamples(bytesOf(news.samples));
      if (news.scores) this.addScores(this.scores, bytesOf(news.scores));
      if (news.scores1) this.addScores(this.compared, bytesOf(news.scores1));
      if (news.marks1) this.comparedMarks = news.marks1;
      if (news.leftOut) this.leftOut = news.leftOut;
      if (news.threshold1 !== undefined) this.comparedThreshold = news.threshold1;
      this.marks.push(...(news.marks || []));
      if (!this.still && this.marks.length > MARKS_KEPT) this.marks.splice(0, this.marks.length - MARKS_KEPT);
      if (news.threshold !== undefined) this.threshold = news.threshold;
      if (this.still) {
        this.startS = this.samples.count ? this.samples.times[0] / 1000 : 0;
        this.lengthS = this.newest() / 1000;
        // Only once the slider has its new limits: it would cut the position off at the old ones.
        this.$nextTick(() => {
          if (!this.spanS) this.centreS = (this.startS + this.lengthS) / 2;
        });
      }
      this.drawn = "";
      this.$el.dataset.newestMs = this.newest();
      this.$el.dataset.samples = this.samples.count;
      this.$el.dataset.scores = this.scores.count;
      this.$el.dataset.marks = this.marks.length;
      if (this.still) {
        this.$el.dataset.compared = this.compared.count;
        this.$el.dataset.leftOut = JSON.stringify(this.leftOut);
      }
    },
    // Select a stretch of a recording by dragging over it.
    timeAt(event) {
      const { left, right } = this.stillPart();
      const x0 = 44;
      const x1 = this.$refs.canvas.clientWidth - 8;
      const share = Math.min(1, Math.max(0, (event.offsetX - x0) / (x1 - x0)));
      return Math.min(1000 * this.lengthS, Math.max(1000 * this.startS, left + share * (right - left)));
    },
    selectFrom(event) {
      if (!this.still || event.button) return;
      this.$refs.canvas.setPointerCapture(event.pointerId);
      this.dragged = this.timeAt(event);
    },
    selectTo(event) {
      if (this.dragged === null) return;
      const time = this.timeAt(event);
      this.selection = [Math.min(time, this.dragged), Math.max(time, this.dragged)];
      this.drawn = "";
    },
    selected() {
      if (this.dragged !== null && this.selection) this.$emit("select", this.selection.map(Math.round));
      this.dragged = null;
    },
    // Show the stretch that is chosen in the fields beside the picture; none if it is empty.
    choose(from, to) {
      this.selection = from < to ? [from, to] : null;
      this.drawn = "";
    },
    addSamples(view) {
      for (let at = 0; at + RECORD_BYTES <= view.byteLength; at += RECORD_BYTES) {
        const time = view.getUint32(at, true);
        if (time <= this.samples.newest) this.samples.clear();
        this.samples.add(time, (i) => view.getInt16(at + 4 + 2 * i, true) / (i < 3 ? LSB_PER_G : LSB_PER_DEG_S));
      }
    },
    addScores(ring, view) {
      for (let at = 0; at + POINT_BYTES <= view.byteLength; at += POINT_BYTES) {
        ring.add(view.getUint32(at, true), (i) => view.getFloat32(at + 4 + 4 * i, true));
      }
    },
    newest() {
      return Math.max(this.samples.newest, this.scores.newest);
    },
    scroll(now) {
      const newest = this.newest();
      const target = newest - BEHIND_MS;
      const passed = Math.min(250, now - this.drawnAt);
      this.drawnAt = now;
      if (Math.abs(target - this.edge) > JUMP_MS) this.edge = target;
      else this.edge = Math.min(this.edge + passed + 0.05 * (target - this.edge - passed), newest + STILL_AFTER_MS);
    },
    draw(now) {
      const canvas = this.$refs.canvas;
      const width = canvas.clientWidth;
      const height = canvas.clientHeight;
      if (!width || !height) return;
      const scale = window.devicePixelRatio || 1;
      if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
        canvas.width = Math.round(width * scale);
        canvas.height = Math.round(height * scale);
      }
      const { left, right } = this.still ? this.stillPart() : this.livePart(now);
      const dark = this.darkQuery.matches;
      const drawn = [left, right, canvas.width, canvas.height, dark].join();
      if (drawn === this.drawn && (this.still || this.paused)) return;
      this.drawn = drawn;
      const view = { left, right, x0: 44, x1: width - 8, narrow: width < 500 };
      const pen = canvas.getContext("2d");
      const colours = dark ? DARK : LIGHT;
      pen.setTransform(scale, 0, 0, scale, 0, 0);
      pen.clearRect(0, 0, width, height);
      pen.font = "12px system-ui, sans-serif";
      const room = height - 22;
      const two = this.models > 1;
      let top = 0;
      const panels = (two ? [0.27, 0.27, 0.23, 0.23] : [0.4, 0.3, 0.3]).map((part) => {
        const panel = { top: room * top + 18, bottom: room * (top + part) - 4 };
        top += part;
        return panel;
      });
      const [acceleration, rotation] = panels.slice(-2);
      this.drawWheels(pen, view, two ? [panels[0]] : panels, colours, this.marks);
      if (two) this.drawWheels(pen, view, [panels[1]], colours, this.comparedMarks);
      const lines = ["model", "envelope"];
      this.drawPanel(pen, view, panels[0], colours, "probability", lines, this.scores, 0, [0, 1]);
      this.drawThreshold(pen, view, panels[0], colours, this.threshold);
      if (two) {
        this.drawPanel(pen, view, panels[1], colours, "compared with", lines, this.compared, 0, [0, 1]);
        this.drawThreshold(pen, view, panels[1], colours, this.comparedThreshold);
      }
      this.drawPanel(pen, view, acceleration, colours, "acceleration, g", ["x", "y", "z"], this.samples, 0, null);
      this.drawPanel(pen, view, rotation, colours, "rotation, °/s", ["x", "y", "z"], this.samples, 3, null);
      if (this.still) this.drawStretches(pen, view, panels, colours);
      this.drawShots(pen, view, panels, colours);
      this.drawTimes(pen, view, height, colours);
      this.frames++;
      this.$el.dataset.frames = this.frames;
    },
    livePart(now) {
      this.scroll(now);
      if (!this.paused) this.pausedAt = this.edge;
      const right = this.paused ? this.pausedAt - 1000 * this.backS : this.edge;
      return { left: right - 1000 * this.spanS, right };
    },
    stillPart() {
      if (!this.spanS) return { left: 1000 * this.startS, right: Math.max(1000 * this.startS + 1, this.newest()) };
      const left = 1000 * (this.centreS - this.spanS / 2);
      return { left, right: left + 1000 * this.spanS };
    },
    x(view, time) {
      return view.x0 + ((time - view.left) / (view.right - view.left)) * (view.x1 - view.x0);
    },
    // What is left out is hatched; what is selected is framed.
    drawStretches(pen, view, panels, colours) {
      pen.setLineDash([]);
      for (const { top, bottom } of panels) {
        for (const [from, to] of this.leftOut) {
          const a = Math.max(view.x0, this.x(view, from));
          const b = Math.min(view.x1, this.x(view, to));
          if (b < a) continue;
          pen.save();
          pen.beginPath();
          pen.rect(a, top, Math.max(1, b - a), bottom - top);
          pen.clip();
          pen.fillStyle = colours.paper;
          pen.globalAlpha = 0.72;
          pen.fillRect(a, top, b - a, bottom - top);
          pen.globalAlpha = 1;
          pen.strokeStyle = pen.fillStyle = colours.ink;
          pen.lineWidth = 2;
          pen.strokeRect(a, top, Math.max(1, b - a), bottom - top);
          pen.lineWidth = 0.4;
          pen.beginPath();
          for (let x = a - (bottom - top); x < b; x += 14) {
            pen.moveTo(x, bottom);
            pen.lineTo(x + bottom - top, top);
          }
          pen.stroke();
          pen.textAlign = "left";
          pen.textBaseline = "top";
          if (b - a > 50 && top === panels[0].top) pen.fillText("left out", a + 4, top + 12);
          pen.restore();
        }
        if (!this.selection) continue;
        const [a, b] = this.selection.map((time) => Math.min(view.x1, Math.max(view.x0, this.x(view, time))));
        pen.strokeStyle = pen.fillStyle = colours.lines[0];
        pen.lineWidth = 2;
        pen.globalAlpha = 0.15;
        pen.fillRect(a, top, b - a, bottom - top);
        pen.globalAlpha = 1;
        pen.strokeRect(a, top, Math.max(1, b - a), bottom - top);
      }
    },
    drawWheels(pen, view, panels, colours, marks) {
      pen.fillStyle = colours.wheels;
      let on = null;
      const shade = (from, to) => {
        const a = Math.max(view.x0, this.x(view, from));
        const b = Math.min(view.x1, this.x(view, to));
        if (b > a) for (const { top, bottom } of panels) pen.fillRect(a, top, b - a, bottom - top);
      };
      for (const mark of marks) {
        if (mark.kind === "on") on = mark.t;
        else if (mark.kind === "off") {
          if (on !== null) shade(on, mark.t);
          on = null;
        }
      }
      if (on !== null) shade(on, this.newest());
    },
    drawPanel(pen, view, panel, colours, title, names, ring, first, range) {
      const from = Math.max(ring.find(view.left) - 1, Math.max(0, ring.count - ring.kept));
      const to = ring.find(view.right);
      let [low, high] = range || this.range(ring, first, names.length, from, to);
      const y = (value) => panel.bottom - ((value - low) / (high - low)) * (panel.bottom - panel.top);
      pen.setLineDash([]);
      pen.strokeStyle = colours.grid;
      pen.fillStyle = colours.ink;
      pen.lineWidth = 1;
      pen.textAlign = "right";
      pen.textBaseline = "middle";
      for (const value of [low, (low + high) / 2, high]) {
        pen.beginPath();
        pen.moveTo(view.x0, y(value));
        pen.lineTo(view.x1, y(value));
        pen.stroke();
        pen.fillText(this.short(value), view.x0 - 4, y(value));
      }
      pen.save();
      pen.beginPath();
      pen.rect(view.x0, panel.top - 1, view.x1 - view.x0, panel.bottom - panel.top + 2);
      pen.clip();
      names.forEach((_, i) => this.drawLine(pen, view, ring, first + i, from, to, y, colours.lines[i], DASHES[i]));
      pen.restore();
      this.drawLegend(pen, view, panel, colours, title, names);
    },
    drawLine(pen, view, ring, column, from, to, y, colour, dash) {
      pen.strokeStyle = colour;
      pen.setLineDash(dash);
      pen.lineWidth = 1.6;
      pen.beginPath();
      // With more points than pixels, one vertical line a pixel, from the lowest to the highest value.
      const thin = to - from > 2 * (view.x1 - view.x0);
      let before = -Infinity;
      let column0 = -1;
      let low = 0;
      let high = 0;
      for (let at = from; at < Math.min(to + 1, ring.count); at++) {
        const slot = at % ring.kept;
        const time = ring.times[slot];
        const value = ring.values[slot * ring.width + column];
        if (Number.isNaN(value)) {
          before = -Infinity;
          continue;
        }
        const x = this.x(view, time);
        if (thin && Math.floor(x) === column0 && time - before <= GAP_MS) {
          if (value < low) pen.lineTo(x, y((low = value)));
          if (value > high) pen.lineTo(x, y((high = value)));
        } else {
          if (time - before > GAP_MS) pen.moveTo(x, y(value));
          else pen.lineTo(x, y(value));
          column0 = Math.floor(x);
          low = high = value;
        }
        before = time;
      }
      pen.stroke();
      pen.setLineDash([]);
    },
    // Round limits around all values in view, the same on both sides of 0.
    range(ring, first, columns, from, to) {
      let largest = 0;
      for (let at = from; at < to; at++) {
        const slot = (at % ring.kept) * ring.width + first;
        for (let i = 0; i < columns; i++) largest = Math.max(largest, Math.abs(ring.values[slot + i]));
      }
      const steps = [2, 4, 8, 16, 50, 100, 200, 500, 1000, 2000];
      const limit = steps.find((step) => step >= largest) || 2000;
      return [-limit, limit];
    },
    short(value) {
      return Number.isInteger(value) ? String(value) : value.toFixed(1);
    },
    drawLegend(pen, view, panel, colours, title, names) {
      pen.textAlign = "left";
      pen.textBaseline = "alphabetic";
      pen.fillStyle = colours.ink;
      const y = panel.top - 6;
      pen.fillText(title, view.x0, y);
      let x = view.x0 + pen.measureText(title).width + 16;
      names.forEach((name, i) => {
        pen.strokeStyle = colours.lines[i];
        pen.setLineDash(DASHES[i]);
        pen.lineWidth = 2;
        pen.beginPath();
        pen.moveTo(x, y - 4);
        pen.lineTo(x + 20, y - 4);
        pen.stroke();
        pen.setLineDash([]);
        pen.fillText(name, x + 24, y);
        x += 36 + pen.measureText(name).width;
      });
      if (title === "probability" && !view.narrow) {
        pen.fillText("·· threshold   shaded: wheels on   ▼ shot in time   ▽ shot too late", x, y);
      }
    },
    drawThreshold(pen, view, panel, colours, threshold) {
      if (threshold === null) return;
      const y = panel.bottom - threshold * (panel.bottom - panel.top);
      pen.strokeStyle = colours.ink;
      pen.lineWidth = 1.5;
      pen.setLineDash([1, 4]);
      pen.beginPath();
      pen.moveTo(view.x0, y);
      pen.lineTo(view.x1, y);
      pen.stroke();
      pen.setLineDash([]);
    },
    drawShots(pen, view, panels, colours) {
      for (const mark of this.marks) {
        if (mark.kind === "on" || mark.kind === "off" || mark.t < view.left || mark.t > view.right) continue;
        const x = this.x(view, mark.t);
        pen.strokeStyle = colours.ink;
        pen.fillStyle = colours.ink;
        pen.lineWidth = UNCOUNTED.includes(mark.kind) ? 0.5 : 1;
        for (const { top, bottom } of panels) {
          pen.beginPath();
          pen.moveTo(x, top);
          pen.lineTo(x, bottom);
          pen.stroke();
        }
        if (mark.kind === "burst" || mark.kind === "left out") continue;
        const top = panels[0].top;
        if (mark.kind === "not a shot") {
          pen.beginPath();
          pen.moveTo(x - 5, top);
          pen.lineTo(x + 5, top + 10);
          pen.moveTo(x + 5, top);
          pen.lineTo(x - 5, top + 10);
          pen.lineWidth = 1.5;
          pen.stroke();
          continue;
        }
        pen.beginPath();
        pen.moveTo(x - 6, top);
        pen.lineTo(x + 6, top);
        pen.lineTo(x, top + 10);
        pen.closePath();
        if (mark.kind === "in time") pen.fill();
        pen.stroke();
      }
    },
    drawTimes(pen, view, height, colours) {
      pen.fillStyle = colours.ink;
      pen.textBaseline = "bottom";
      const behind = (this.newest() - view.right) / 1000;
      for (let i = 0; i <= 4; i++) {
        const x = view.x0 + ((view.x1 - view.x0) * i) / 4;
        const fromRight = ((view.right - view.left) / 1000) * (1 - i / 4);
        const seconds = this.still ? view.right / 1000 - fromRight : -fromRight - (this.paused ? Math.max(0, behind) : 0);
        pen.textAlign = i === 0 ? "left" : i === 4 ? "right" : "center";
        pen.fillText(`${this.short(Math.round(seconds * 10) / 10)} s`, x, height - 2);
      }
    },
  },
};
