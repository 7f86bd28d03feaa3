// What lies over the panels of the picture: wheels as shading, shots as marks, stretches that are left out or selected.
// `view` and `panels` are as in panels.js.

import { xOf } from "./panels.js";

const UNCOUNTED = ["burst", "not a shot", "left out"];
const HATCHING = 14;

// Shade the panels where the wheels were on; if they still are, up to the time `newest`.
export function drawWheels(pen, view, panels, colours, marks, newest) {
  pen.fillStyle = colours.wheels;
  let on = null;
  const shade = (from, to) => {
    const a = Math.max(view.x0, xOf(view, from));
    const b = Math.min(view.x1, xOf(view, to));
    if (b > a) for (const { top, bottom } of panels) pen.fillRect(a, top, b - a, bottom - top);
  };
  for (const mark of marks) {
    if (mark.kind === "on") on = mark.t;
    else if (mark.kind === "off") {
      if (on !== null) shade(on, mark.t);
      on = null;
    }
  }
  if (on !== null) shade(on, newest);
}

export function drawShots(pen, view, panels, colours, marks) {
  for (const mark of marks) {
    if (mark.kind === "on" || mark.kind === "off" || mark.t < view.left || mark.t > view.right) continue;
    const x = xOf(view, mark.t);
    pen.strokeStyle = colours.ink;
    pen.fillStyle = colours.ink;
    pen.lineWidth = UNCOUNTED.includes(mark.kind) ? 0.5 : 1;
    for (const { top, bottom } of panels) {
      pen.beginPath();
      pen.moveTo(x, top);
      pen.lineTo(x, bottom);
      pen.stroke();
    }
    if (mark.kind === "not a shot") drawCross(pen, x, panels[0].top);
    else if (!UNCOUNTED.includes(mark.kind)) drawTriangle(pen, x, panels[0].top, mark.kind === "in time");
  }
}

// Hatch the stretches `leftOut` and frame the `selection`: pairs of times in ms, `null` for none.
export function drawStretches(pen, view, panels, colours, leftOut, selection) {
  pen.setLineDash([]);
  for (const panel of panels) {
    for (const stretch of leftOut) hatch(pen, view, panel, colours, stretch, panel === panels[0]);
    if (!selection) continue;
    const [a, b] = selection.map((time) => Math.min(view.x1, Math.max(view.x0, xOf(view, time))));
    const height = panel.bottom - panel.top;
    pen.strokeStyle = pen.fillStyle = colours.lines[0];
    pen.lineWidth = 2;
    pen.globalAlpha = 0.15;
    pen.fillRect(a, panel.top, b - a, height);
    pen.globalAlpha = 1;
    pen.strokeRect(a, panel.top, Math.max(1, b - a), height);
  }
}

function hatch(pen, view, { top, bottom }, colours, [from, to], isNamed) {
  const a = Math.max(view.x0, xOf(view, from));
  const b = Math.min(view.x1, xOf(view, to));
  if (b < a) return;
  const height = bottom - top;
  pen.save();
  pen.beginPath();
  pen.rect(a, top, Math.max(1, b - a), height);
  pen.clip();
  pen.fillStyle = colours.paper;
  pen.globalAlpha = 0.72;
  pen.fillRect(a, top, b - a, height);
  pen.globalAlpha = 1;
  pen.strokeStyle = pen.fillStyle = colours.ink;
  pen.lineWidth = 2;
  pen.strokeRect(a, top, Math.max(1, b - a), height);
  pen.lineWidth = 0.4;
  pen.beginPath();
  for (let x = a - height; x < b; x += HATCHING) {
    pen.moveTo(x, bottom);
    pen.lineTo(x + height, top);
  }
  pen.stroke();
  pen.textAlign = "left";
  pen.textBaseline = "top";
  if (b - a > 50 && isNamed) pen.fillText("left out", a + 4, top + 12);
  pen.restore();
}

function drawCross(pen, x, top) {
  pen.beginPath();
  pen.moveTo(x - 5, top);
  pen.lineTo(x + 5, top + 10);
  pen.moveTo(x + 5, top);
  pen.lineTo(x - 5, top + 10);
  pen.lineWidth = 1.5;
  pen.stroke();
}

function drawTriangle(pen, x, top, filled) {
  pen.beginPath();
  pen.moveTo(x - 6, top);
  pen.lineTo(x + 6, top);
  pen.lineTo(x, top + 10);
  pen.closePath();
  if (filled) pen.fill();
  pen.stroke();
}
