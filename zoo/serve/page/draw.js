// Pictures and points on canvases, and files for people to keep.

import { toRgba } from "./pixels.js";

const GAP = 2;
const AT_LEAST = 64; // pixels of the shorter side of a picture in a saved sheet, as `zoo sample` scales it

/** Pixels [h, w, c] onto a canvas of just that size; the style sheet enlarges it. */
export function paint(canvas, pixels, [height, width, channels]) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  canvas.getContext("2d").putImageData(new ImageData(toRgba(pixels, channels), width, height), 0, 0);
}

/** All pictures as one sheet on white: what `zoo sample --out sheet.png` writes. */
export function sheet(canvases, columns) {
  const { width, height } = canvases[0];
  const factor = Math.max(1, Math.ceil(AT_LEAST / Math.min(width, height)));
  const [w, h] = [width * factor + GAP, height * factor + GAP];
  const rows = Math.ceil(canvases.length / columns);
  const target = Object.assign(document.createElement("canvas"), { width: columns * w - GAP, height: rows * h - GAP });
  const context = target.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.fillStyle = "white";
  context.fillRect(0, 0, target.width, target.height);
  canvases.forEach((one, i) =>
    context.drawImage(one, (i % columns) * w, Math.floor(i / columns) * h, w - GAP, h - GAP),
  );
  return target;
}

/** Points [n, 2], y upwards, in the square [-extent, extent]^2 with its axes; `trail` is drawn as a line to its last point. */
export function scatter(canvas, points, extent, trail = null) {
  const style = getComputedStyle(canvas);
  const colour = (name) => style.getPropertyValue(name);
  const unit = window.devicePixelRatio || 1;
  const size = Math.max(canvas.clientWidth, 64) * unit;
  Object.assign(canvas, { width: size, height: size });
  const context = canvas.getContext("2d");
  const at = (value) => ((value / extent + 1) / 2) * size;
  const dot = (x, y, radius) => {
    context.beginPath();
    context.arc(at(x), size - at(y), radius * unit, 0, 2 * Math.PI);
    context.fill();
  };
  axes(context, { at, size, unit, extent, line: colour("--line"), text: colour("--quiet") });
  context.fillStyle = colour("--accent");
  context.globalAlpha = trail ? 0.25 : 0.55;
  for (let i = 0; i < points.length; i += 2) dot(points[i], points[i + 1], 2);
  context.globalAlpha = 1;
  if (!trail) return;
  context.strokeStyle = context.fillStyle = colour("--ink");
  context.lineWidth = 1.5 * unit;
  context.beginPath();
  for (let i = 0; i < trail.length; i += 2) context.lineTo(at(trail[i]), size - at(trail[i + 1]));
  context.stroke();
  dot(trail.at(-2), trail.at(-1), 5);
}

function axes(context, { at, size, unit, extent, line, text }) {
  const step = 10 ** Math.floor(Math.log10(extent)) * (extent / 10 ** Math.floor(Math.log10(extent)) < 2.5 ? 0.5 : 1);
  context.lineWidth = unit;
  context.font = `${11 * unit}px system-ui, sans-serif`;
  for (let value = Math.ceil(-extent / step) * step; value <= extent; value += step) {
    const tick = Number(value.toFixed(6));
    context.strokeStyle = line;
    context.globalAlpha = tick === 0 ? 1 : 0.45;
    context.strokeRect(at(tick), -unit, 0, size + 2 * unit);
    context.strokeRect(-unit, size - at(tick), size + 2 * unit, 0);
    context.globalAlpha = 1;
    context.fillStyle = text;
    if (tick !== 0) context.fillText(String(tick), at(tick) + 3 * unit, size - 4 * unit);
    if (tick !== 0) context.fillText(String(tick), 4 * unit, size - at(tick) - 3 * unit);
  }
}

/** The half-width of a plot that holds all points. */
export const extentOf = (points) => points.reduce((most, x) => Math.max(most, Math.abs(x)), 0) * 1.1 + 1e-6;

/** Hand a canvas to the person as a PNG file. */
export function savePng(canvas, name) {
  canvas.toBlob((blob) => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }, "image/png");
}

/** A picture file drawn at [height, width] by a fit: RGBA pixels. White lies behind what is transparent, black beside it. */
export function fitted(bitmap, [height, width], fit) {
  const { source, target } = fit(bitmap.height, bitmap.width, height, width);
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  context.fillStyle = "black";
  context.fillRect(0, 0, width, height);
  context.fillStyle = "white";
  context.fillRect(...target);
  context.drawImage(bitmap, ...source, ...target);
  return context.getImageData(0, 0, width, height).data;
}
