// Pixels on their way in and out, as gan-zoo's arrays.py scales them, and the sizes that a translator takes.

/** Raw output in `range` -> 0..255: scaled, clipped, rounded half to even. Throws for numbers that have no colour. */
export function toUint8(raw, [low, high]) {
  return Uint8ClampedArray.from(raw, (value) => {
    if (!Number.isFinite(value)) throw new Error("the generator returned numbers that are not finite");
    const shade = Math.min(1, Math.max(0, (value - low) / (high - low))) * 255;
    const floor = Math.floor(shade);
    const rest = shade - floor;
    return floor + (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? 1 : 0);
  });
}

/** Pixels 0..255 -> float32 in `range`, both ends exactly. */
export function fromUint8(pixels, [low, high]) {
  const step = (high - low) / 255;
  return Float32Array.from(pixels, (shade) => (shade === 255 ? high : shade * step + low));
}

/** RGBA of a canvas -> [H, W, C] of 1, 3 or 4 channels; grey is ITU-R 601 luma in the integers that gan-zoo uses. */
export function fromRgba(rgba, channels) {
  const pixels = new Uint8Array((rgba.length / 4) * channels);
  for (let i = 0; i < rgba.length / 4; i++) {
    const [r, g, b, alpha] = rgba.subarray(4 * i, 4 * i + 4);
    if (channels === 1) pixels[i] = (19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16;
    else pixels.set(channels === 4 ? [r, g, b, alpha] : [r, g, b], channels * i);
  }
  return pixels;
}

/** [H, W, C] of 1, 3 or 4 channels -> RGBA. */
export function toRgba(pixels, channels) {
  const rgba = new Uint8ClampedArray((pixels.length / channels) * 4).fill(255);
  for (let i = 0; i < pixels.length / channels; i++) {
    for (let c = 0; c < Math.max(channels, 3); c++) rgba[4 * i + c] = pixels[channels * i + (channels === 1 ? 0 : c)];
  }
  return rgba;
}

/** The largest difference between two arrays of pixels. */
export const difference = (a, b) => a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);

/** The allowed size nearest to `size`: a multiple from the minimum up. */
export function nearest(size, { multiple, minimum }) {
  return Math.max(minimum, Math.ceil(size / multiple - 0.5) * multiple); // the smaller of two that are as near
}

/** The allowed [height, width] nearest to a picture whose longer side is brought to `longest`. */
export function allowed(input, height, width, longest) {
  if (!input.sizes) return input.shape.slice(1, 3);
  const scale = longest / Math.max(height, width);
  return [nearest(height * scale, input.sizes.height), nearest(width * scale, input.sizes.width)];
}

/** The longest sides worth offering for a translator: what it was trained on, twice and four times that, within reason. */
export function longestSides(input, limit = 512) {
  if (!input.sizes) return [];
  const trained = Math.max(input.sizes.height.trained, input.sizes.width.trained);
  return [1, 2, 4].map((factor) => factor * trained).filter((side, i) => i === 0 || side <= limit);
}

/** Where [height, width] of a source lands on a canvas: {source: [x, y, w, h], target: [x, y, w, h]} of drawImage. */
export const FITS = {
  crop(height, width, tall, wide) {
    const zoom = Math.max(tall / height, wide / width); // the short side fills the frame
    const [h, w] = [Math.min(height, tall / zoom), Math.min(width, wide / zoom)];
    return { source: [(width - w) / 2, (height - h) / 2, w, h], target: [0, 0, wide, tall] };
  },
  pad(height, width, tall, wide) {
    const zoom = Math.min(tall / height, wide / width);
    const [h, w] = [height * zoom, width * zoom];
    return { source: [0, 0, width, height], target: [(wide - w) / 2, (tall - h) / 2, w, h] };
  },
  resize(height, width, tall, wide) {
    return { source: [0, 0, width, height], target: [0, 0, wide, tall] };
  },
};
