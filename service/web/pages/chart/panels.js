// The panels of the picture: lines over time with axis, legend and threshold, and the times below them.
// A `view` has the times `left` and `right` in ms, between the pixels `x0` and `x1`; a panel lies between `top` and `bottom`.

const GAP_MS = 50;
const DASHES = [[], [6, 3], [2, 2]];
const LIMITS = [2, 4, 8, 16, 50, 100, 200, 500, 1000, 2000];
const TIMES_SHOWN = 4;

// Okabe and Ito's colours, which people with any kind of colour blindness can distinguish; lines differ in dashes as well.
export const LIGHT = { ink: "#1d1d1f", paper: "#ffffff", grid: "#d4d4d8", wheels: "#f0d9a8", lines: ["#0072b2", "#b34700", "#00664a"] };
export const DARK = { ink: "#ececf1", paper: "#17171a", grid: "#3f3f46", wheels: "#5c4a1e", lines: ["#56b4e9", "#e69f00", "#2fd6a6"] };

export function xOf(view, time) {
  return view.x0 + ((time - view.left) / (view.right - view.left)) * (view.x1 - view.x0);
}

// Draw the lines `names`, which are the columns of `ring` from `first` on. Without a `range`, it fits the values in view.
export function drawPanel(pen, view, panel, colours, { title, names, ring, first, range, key }) {
  const from = Math.max(ring.find(view.left) - 1, Math.max(0, ring.count - ring.kept));
  const to = ring.find(view.right);
  const [low, high] = range || rangeOf(ring, first, names.length, from, to);
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
    pen.fillText(short(value), view.x0 - 4, y(value));
  }
  pen.save();
  pen.beginPath();
  pen.rect(view.x0, panel.top - 1, view.x1 - view.x0, panel.bottom - panel.top + 2);
  pen.clip();
  names.forEach((_, i) => drawLine(pen, view, ring, first + i, from, to, y, colours.lines[i], DASHES[i]));
  pen.restore();
  drawLegend(pen, view, panel, colours, title, names, key);
}

export function drawThreshold(pen, view, panel, colours, threshold) {
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
}

// Write times below the panels: `secondsAt(time)` is what is written for a time.
export function drawTimes(pen, view, height, colours, secondsAt) {
  pen.fillStyle = colours.ink;
  pen.textBaseline = "bottom";
  for (let i = 0; i <= TIMES_SHOWN; i++) {
    const part = i / TIMES_SHOWN;
    const x = view.x0 + (view.x1 - view.x0) * part;
    const seconds = secondsAt(view.left + (view.right - view.left) * part);
    pen.textAlign = i === 0 ? "left" : i === TIMES_SHOWN ? "right" : "center";
    pen.fillText(`${short(Math.round(seconds * 10) / 10)} s`, x, height - 2);
  }
}

function drawLine(pen, view, ring, column, from, to, y, colour, dash) {
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
    const x = xOf(view, time);
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
}

// Round limits around all values in view, the same on both sides of 0.
function rangeOf(ring, first, columns, from, to) {
  let largest = 0;
  for (let at = from; at < to; at++) {
    const slot = (at % ring.kept) * ring.width + first;
    for (let i = 0; i < columns; i++) largest = Math.max(largest, Math.abs(ring.values[slot + i]));
  }
  const limit = LIMITS.find((one) => one >= largest) || LIMITS[LIMITS.length - 1];
  return [-limit, limit];
}

// `key` explains marks; there is room for it in wide pictures only.
function drawLegend(pen, view, panel, colours, title, names, key) {
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
  if (key && !view.narrow) pen.fillText(key, x, y);
}

function short(value) {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}
