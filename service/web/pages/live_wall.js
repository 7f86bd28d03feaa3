// All devices at a glance: a card for each, with a strip of its envelope over the last ten seconds, its threshold and its shots.
// The server pushes what has changed, several times a second, for all devices in one message.

const SPAN_MS = 10000;
const KEPT = 256;
const NO_SCORE = 255;
const HIGHEST = 250;
const LIGHT = { ink: "#1d1d1f", line: "#0072b2", fill: "#cfe3f1", grid: "#85858d" };
const DARK = { ink: "#ececf1", line: "#56b4e9", fill: "#1f4a63", grid: "#8b8b95" };

export default {
  template: `
    <ul class="devices">
      <li v-for="card in cards" :key="card.name" class="device" :class="{ alarming: card.alarm }" :data-device="card.name">
        <h2><a :href="card.url">{{ card.name }}</a></h2>
        <p v-if="card.alarm" class="bad">⚠ {{ card.alarm }}</p>
        <canvas :ref="(canvas) => keep(card.name, canvas)" role="img"
          :aria-label="'Envelope of the model\\'s output over the last 10 s; threshold ' + card.threshold"></canvas>
        <dl>
          <template v-for="(value, name) in card.facts" :key="name">
            <dt>{{ name }}</dt><dd :data-fact="name" :class="{ 'wheels-on': name === 'wheels' && card.on }">{{ value }}</dd>
          </template>
        </dl>
      </li>
    </ul>`,
  data() {
    return { cards: [] };
  },
  created() {
    // Not reactive: the strips are drawn, not rendered.
    this.strips = new Map();
    this.updates = 0;
  },
  mounted() {
    this.darkQuery = window.matchMedia("(prefers-color-scheme: dark)");
  },
  methods: {
    keep(name, canvas) {
      this.strip(name).canvas = canvas;
    },
    strip(name) {
      if (!this.strips.has(name)) this.strips.set(name, { times: [], levels: [], shots: [], threshold: null, canvas: null });
      return this.strips.get(name);
    },
    push(devices) {
      for (const device of devices) {
        if (device.facts) this.showFacts(device);
        if (device.times || device.shots || device.restart) this.addToStrip(device);
        if (device.threshold !== undefined) this.strip(device.name).threshold = device.threshold;
      }
      this.$nextTick(() => {
        for (const device of devices) this.draw(this.strip(device.name));
        this.updates++;
        this.$el.dataset.updates = this.updates;
      });
    },
    showFacts(device) {
      let card = this.cards.find((one) => one.name === device.name);
      if (!card) {
        card = { name: device.name, facts: {} };
        this.cards.push(card);
        this.cards.sort((a, b) => (a.name < b.name ? -1 : 1));
        card = this.cards.find((one) => one.name === device.name);
      }
      const threshold = device.threshold === undefined ? card.threshold : device.threshold;
      const { url, alarm, on, facts } = device;
      Object.assign(card, { url, alarm, on, threshold: threshold === null ? "unknown" : threshold, facts });
    },
    addToStrip(device) {
      const strip = this.strip(device.name);
      if (device.restart) Object.assign(strip, { times: [], levels: [], shots: [] });
      strip.times.push(...(device.times || []));
      strip.levels.push(...(device.levels || []));
      strip.shots.push(...(device.shots || []));
      if (strip.times.length > KEPT) {
        strip.times.splice(0, strip.times.length - KEPT);
        strip.levels.splice(0, strip.levels.length - KEPT);
      }
      const newest = strip.times[strip.times.length - 1] || 0;
      strip.shots = strip.shots.filter((shot) => shot.t > newest - SPAN_MS).slice(-50);
    },
    draw(strip) {
      const canvas = strip.canvas;
      if (!canvas || !canvas.clientWidth) return;
      const scale = window.devicePixelRatio || 1;
      const width = canvas.clientWidth;
      const height = canvas.clientHeight;
      if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
      if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
      const colours = this.darkQuery.matches ? DARK : LIGHT;
      const pen = canvas.getContext("2d");
      pen.setTransform(scale, 0, 0, scale, 0, 0);
      pen.clearRect(0, 0, width, height);
      const newest = strip.times[strip.times.length - 1] || 0;
      const x = (time) => width - ((newest - time) / SPAN_MS) * width;
      const y = (share) => height - 1 - share * (height - 10);
      pen.strokeStyle = colours.grid;
      pen.lineWidth = 1;
      pen.strokeRect(0.5, 0.5, width - 1, height - 1);
      if (!strip.times.length) {
        pen.fillStyle = colours.ink;
        pen.font = "12px system-ui, sans-serif";
        pen.fillText("no scores", 8, height / 2 + 4);
        return;
      }
      pen.strokeStyle = colours.line;
      pen.lineWidth = 1.6;
      pen.beginPath();
      let before = null;
      strip.times.forEach((time, i) => {
        if (strip.levels[i] === NO_SCORE || time < newest - SPAN_MS) {
          before = null;
          return;
        }
        const at = [x(time), y(strip.levels[i] / HIGHEST)];
        if (before !== null && time - before < 300) pen.lineTo(...at);
        else pen.moveTo(...at);
        before = time;
      });
      pen.stroke();
      if (strip.threshold !== null) {
        pen.strokeStyle = colours.ink;
        pen.setLineDash([2, 4]);
        pen.beginPath();
        pen.moveTo(0, y(strip.threshold));
        pen.lineTo(width, y(strip.threshold));
        pen.stroke();
        pen.setLineDash([]);
      }
      pen.strokeStyle = pen.fillStyle = colours.ink;
      pen.lineWidth = 1;
      for (const shot of strip.shots) {
        const at = x(shot.t);
        pen.beginPath();
        pen.moveTo(at - 5, 1);
        pen.lineTo(at + 5, 1);
        pen.lineTo(at, 9);
        pen.closePath();
        if (shot.kind === "in time") pen.fill();
        pen.stroke();
      }
    },
  },
};
