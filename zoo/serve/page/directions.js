// Directions of a latent space along which a picture visibly changes.
//
// A random direction changes little of everything. So `PROBES` random orthonormal directions are tried both ways from
// the latent at hand; the singular vectors of what they change, D [probes, pixels], are the directions within their
// span that change most, strongest first, orthonormal again. That is 2 * PROBES runs, whatever the size of the latent.

import { RandomState } from "./random.js";

export const PROBES = 24;
export const KEPT = 6;
const STEP = 0.5; // of the latent's radius: what a slider reaches, not what is infinitely near

const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

/** `count` orthonormal vectors of size `d`, the same every time (Gram-Schmidt, twice for the rounding). */
export function orthonormal(count, d) {
  const random = new RandomState([d]);
  const basis = [];
  while (basis.length < Math.min(count, d)) {
    const v = new Float64Array(d).map(() => random.normal());
    for (let pass = 0; pass < 2; pass++) {
      for (const b of basis) {
        const along = dot(v, b);
        b.forEach((x, i) => (v[i] -= along * x));
      }
    }
    const length = Math.sqrt(dot(v, v));
    basis.push(v.map((x) => x / length));
  }
  return basis;
}

/** Eigenvalues and -vectors of a symmetric matrix by Jacobi rotations, the largest first: [{value, vector}, ...]. */
export function eigen(matrix, sweeps = 30) {
  const n = matrix.length;
  const a = matrix.map((row) => Float64Array.from(row));
  const v = a.map((_, i) => Float64Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)));
  const rotate = (m, p, q, c, s) => {
    for (const row of m) [row[p], row[q]] = [c * row[p] - s * row[q], s * row[p] + c * row[q]];
  };
  for (let sweep = 0; sweep < sweeps; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (Math.abs(a[p][q]) <= 1e-14 * Math.sqrt(Math.abs(a[p][p] * a[q][q]))) continue;
        const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
        const t = (theta >= 0 ? 1 : -1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
        const c = 1 / Math.sqrt(t * t + 1);
        rotate(a, p, q, c, t * c); // columns
        for (let k = 0; k < n; k++) [a[p][k], a[q][k]] = [c * a[p][k] - t * c * a[q][k], t * c * a[p][k] + c * a[q][k]];
        rotate(v, p, q, c, t * c);
      }
    }
  }
  const pairs = a.map((row, i) => ({ value: row[i], vector: v.map((one) => one[i]) }));
  return pairs.sort((x, y) => y.value - x.value);
}

/**
 * At most `KEPT` orthonormal directions around the latent `z` of `prior`. `render` makes raw output, float32
 * [rows, pixels] as one array, of an array of latents.
 */
export async function directions(z, prior, render) {
  const basis = orthonormal(PROBES, z.length);
  const step = STEP * prior.radius(z);
  const ways = basis.flatMap((q) => [q.map((x) => step * x), q.map((x) => -step * x)]);
  const made = await render(ways.map((way) => prior.move(z, way)));
  const size = made.length / ways.length;
  const changes = basis.map((_, k) => {
    const [there, back] = [
      made.subarray(2 * k * size, (2 * k + 1) * size),
      made.subarray((2 * k + 1) * size, (2 * k + 2) * size),
    ];
    return there.map((x, i) => x - back[i]);
  });
  const gram = changes.map((a) => changes.map((b) => dot(a, b))); // D D^T [probes, probes]
  return eigen(gram)
    .slice(0, KEPT)
    .map(({ vector }) => {
      const way = new Float64Array(z.length);
      vector.forEach((weight, k) => basis[k].forEach((x, i) => (way[i] += weight * x)));
      return way;
    });
}

/** The way of several directions at once, each as far as its slider says, in units of the latent's radius. */
export function blend(ways, amounts, radius) {
  const sum = new Float64Array(ways[0].length);
  ways.forEach((way, k) => way.forEach((x, i) => (sum[i] += amounts[k] * radius * x)));
  return sum;
}
