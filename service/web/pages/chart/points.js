// The points of the picture: samples and scores as the server sends them, in rings.

const RECORD_BYTES = 17;
const POINT_BYTES = 12;
const LSB_PER_G = 2048;
const LSB_PER_DEG_S = 16.384;

// The newest `kept` points, each a time in ms and `width` values.
export class Ring {
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

// Add sample records: acceleration in g, then rotation in °/s. A step back in time empties the ring first.
export function addSamples(ring, base64) {
  const view = bytesOf(base64);
  for (let at = 0; at + RECORD_BYTES <= view.byteLength; at += RECORD_BYTES) {
    const time = view.getUint32(at, true);
    if (time <= ring.newest) ring.clear();
    ring.add(time, (i) => view.getInt16(at + 4 + 2 * i, true) / (i < 3 ? LSB_PER_G : LSB_PER_DEG_S));
  }
}

// Add scores: the model's output, then the envelope.
export function addScores(ring, base64) {
  const view = bytesOf(base64);
  for (let at = 0; at + POINT_BYTES <= view.byteLength; at += POINT_BYTES) {
    ring.add(view.getUint32(at, true), (i) => view.getFloat32(at + 4 + 4 * i, true));
  }
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return new DataView(bytes.buffer);
}
