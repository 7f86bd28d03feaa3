// The trade-off of a model: shots in time, and the time with wheels on, against false spin-ups a minute. The operating point
// is dragged over the picture, or moved by the slider below it, also with the arrow keys.

const WIDTH = 640;
const HEIGHT = 320;
const LEFT = 48;
const RIGHT = 12;
const TOP = 28;
const BOTTOM = 44;

export default {
  template: `
    <div class="trade-off">
      <svg ref="picture" viewBox="0 0 640 320" role="img" :aria-label="label"
        @pointerdown="drag" @pointermove="move" @pointerup="held = false" @pointercancel="held = false">
        <g v-for="tick in yTicks" :key="'y' + tick">
          <line class="grid" :x1="x(0)" :x2="x(highest)" :y1="y(tick)" :y2="y(tick)" />
          <text :x="x(0) - 6" :y="y(tick) + 4" text-anchor="end">{{ Math.round(100 * tick) }} %</text>
        </g>
        <g v-for="tick in xTicks" :key="'x' + tick">
          <line class="grid" :x1="x(tick)" :x2="x(tick)" :y1="y(0)" :y2="y(1)" />
          <text :x="x(tick)" :y="y(0) + 16" text-anchor="middle">{{ tick }}</text>
        </g>
        <text :x="x(highest)" :y="y(0) + 34" text-anchor="end">false spin-ups a minute</text>
        <line class="in-time" x1="48" x2="78" y1="12" y2="12" /><text x="84" y="16">shots in time</text>
        <line class="duty" x1="190" x2="220" y1="12" y2="12" /><text x="226" y="16">time with wheels on</text>
        <polyline class="in-time" :points="line('in_time')" />
        <polyline class="duty" :points="line('duty')" />
        <template v-if="point">
          <line class="marker" :x1="x(point.false_per_minute)" :x2="x(point.false_per_minute)" :y1="y(0)" :y2="y(1)" />
          <circle class="in-time" :cx="x(point.false_per_minute)" :cy="y(point.in_time)" r="7" />
          <circle class="duty" :cx="x(point.false_per_minute)" :cy="y(point.duty)" r="5" />
        </template>
      </svg>
      <label class="field">Threshold
        <input type="range" min="0" :max="points.length - 1" step="1" v-model.number="chosen" :aria-valuetext="text"
          @change="choose" />
      </label>
      <p class="figures" data-fact="operating point">{{ text }}</p>
    </div>`,
  props: { points: Array, start: Number },
  emits: ["choose"],
  data() {
    return { chosen: this.start, held: false };
  },
  computed: {
    label() {
      return "Picture of shots in time and of the time with wheels on, against false spin-ups a minute. The figures are below it.";
    },
    point() {
      return this.points[this.chosen];
    },
    text() {
      const { threshold, in_time, false_per_minute, duty } = this.point;
      return (
        `Threshold ${threshold.toFixed(2)}: ${(100 * in_time).toFixed(0)} % of the shots in time, ` +
        `${false_per_minute.toFixed(2)} false spin-ups a minute, wheels on ${(100 * duty).toFixed(0)} % of the time`
      );
    },
    highest() {
      const largest = Math.max(0.1, ...this.points.map((point) => point.false_per_minute));
      return [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000].find((limit) => limit >= largest) || largest;
    },
    xTicks() {
      return [0, 1, 2, 3, 4, 5].map((part) => +((this.highest * part) / 5).toPrecision(2));
    },
    yTicks() {
      return [0, 0.25, 0.5, 0.75, 1];
    },
  },
  methods: {
    x(value) {
      return LEFT + (value / this.highest) * (WIDTH - LEFT - RIGHT);
    },
    y(value) {
      return HEIGHT - BOTTOM - value * (HEIGHT - TOP - BOTTOM);
    },
    line(name) {
      return this.points.map((point) => `${this.x(point.false_per_minute)},${this.y(point[name])}`).join(" ");
    },
    drag(event) {
      if (event.button) return;
      this.held = true;
      this.$refs.picture.setPointerCapture(event.pointerId);
      this.move(event);
    },
    // Choose the point whose dot on the line of shots in time is nearest to the pointer.
    move(event) {
      if (!this.held) return;
      const box = this.$refs.picture.getBoundingClientRect();
      const px = ((event.clientX - box.left) / box.width) * WIDTH;
      const py = ((event.clientY - box.top) / box.height) * HEIGHT;
      const distance = (point) => Math.hypot(this.x(point.false_per_minute) - px, this.y(point.in_time) - py);
      let best = this.chosen;
      this.points.forEach((point, i) => {
        if (distance(point) < distance(this.points[best])) best = i;
      });
      if (best !== this.chosen) {
        this.chosen = best;
        this.choose();
      }
    },
    choose() {
      this.$emit("choose", this.point.threshold);
    },
  },
};
