// A moving picture of one blaster: probability and envelope with the threshold, wheels and shots; acceleration; rotation.
// The server pushes only new points. They are kept in rings for five minutes and drawn once a frame of the display.
// With `still`, the picture is of a recording instead: all of it is pushed at once, and it moves only by hand.
// All times are in milliseconds: by the blaster's own clock, or, if still, after the first sample.

import { drawShots, drawStretches, drawWheels } from "stinger-chart/events.js";
import { DARK, LIGHT, drawPanel, drawThreshold, drawTimes } from "stinger-chart/panels.js";
import { Ring, addSamples, addScores } from "stinger-chart/points.js";

const LIVE_KEPT = 32768;
const LOOK_BACK_S = 300;
const MARKS_KEPT = 1000;
// The right edge stays behind the newest sample by more than the time between two pushes, so that it moves evenly.
const BEHIND_MS = 200;
const STILL_AFTER_MS = 200; // without new samples, the picture moves on for so long
const JUMP_MS = 1000; // a larger distance to the newest sample is a jump, not a scroll
const LEFT_PX = 44; // room for the axis
const RIGHT_PX = 8;
const KEY = "·· threshold   shaded: wheels on   ▼ shot in time   ▽ shot too late";

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
      if (news.samples) addSamples(this.samples, news.samples);
      if (news.scores) addScores(this.scores, news.scores);
      if (news.scores1) addScores(this.compared, news.scores1);
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
      const width = this.$refs.canvas.clientWidth - LEFT_PX - RIGHT_PX;
      const share = Math.min(1, Math.max(0, (event.offsetX - LEFT_PX) / width));
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
      const view = { left, right, x0: LEFT_PX, x1: width - RIGHT_PX, narrow: width < 500 };
      const pen = canvas.getContext("2d");
      pen.setTransform(scale, 0, 0, scale, 0, 0);
      pen.clearRect(0, 0, width, height);
      pen.font = "12px system-ui, sans-serif";
      this.drawAll(pen, view, height, dark ? DARK : LIGHT);
      this.frames++;
      this.$el.dataset.frames = this.frames;
    },
    drawAll(pen, view, height, colours) {
      const two = this.models > 1;
      const panels = this.panels(height, two ? [0.27, 0.27, 0.23, 0.23] : [0.4, 0.3, 0.3]);
      const [acceleration, rotation] = panels.slice(-2);
      const newest = this.newest();
      drawWheels(pen, view, two ? [panels[0]] : panels, colours, this.marks, newest);
      if (two) drawWheels(pen, view, [panels[1]], colours, this.comparedMarks, newest);
      const scores = { names: ["model", "envelope"], first: 0, range: [0, 1] };
      drawPanel(pen, view, panels[0], colours, { ...scores, title: "probability", ring: this.scores, key: KEY });
      drawThreshold(pen, view, panels[0], colours, this.threshold);
      if (two) {
        drawPanel(pen, view, panels[1], colours, { ...scores, title: "compared with", ring: this.compared });
        drawThreshold(pen, view, panels[1], colours, this.comparedThreshold);
      }
      const axes = { names: ["x", "y", "z"], ring: this.samples };
      drawPanel(pen, view, acceleration, colours, { ...axes, title: "acceleration, g", first: 0 });
      drawPanel(pen, view, rotation, colours, { ...axes, title: "rotation, °/s", first: 3 });
      if (this.still) drawStretches(pen, view, panels, colours, this.leftOut, this.selection);
      drawShots(pen, view, panels, colours, this.marks);
      const zero = this.still ? 0 : this.paused ? Math.max(newest, view.right) : view.right;
      drawTimes(pen, view, height, colours, (time) => (time - zero) / 1000);
    },
    // Divide the height, above the times, into panels with room for their legends.
    panels(height, parts) {
      const room = height - 22;
      let top = 0;
      return parts.map((part) => {
        const panel = { top: room * top + 18, bottom: room * (top + part) - 4 };
        top += part;
        return panel;
      });
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
  },
};
