// Numbers and facts of a generator in words.

export const count = (n) => n.toLocaleString("en");

export function parameters(n) {
  if (!n) return null;
  if (n >= 1e6) return `${(n / 1e6).toPrecision(3)} M parameters`;
  return n >= 1e4 ? `${Math.round(n / 1e3)} k parameters` : `${count(n)} parameters`;
}

export const bytes = (n) => (n >= 1e6 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e3).toFixed(1)} kB`);

const COLOURS = { 1: "grey", 3: "colour", 4: "colour, transparent background" };

/** The shape of what is made: of a map of latents at the size of its training. */
export function drawnShape({ inputs, outputs: [{ shape, grid }] }) {
  if (!grid) return shape.slice(1);
  const { rows, columns } = inputs.find((input) => input.sizes).sizes;
  const trained = [rows, columns].map((axis, i) => grid.scale[i] * axis.trained + grid.offset[i]);
  return [...trained, ...shape.slice(3)];
}

/** What comes out: "32 × 32, grey", "pictures of any size", "points in the plane". */
export function output(card) {
  const [height, width, channels] = drawnShape(card);
  if (card.kind === "points") return `points in ${height} dimensions`;
  const larger = card.outputs[0].grid ? " and larger" : "";
  const size = typeof height === "string" ? "pictures of any size" : `${width} × ${height}${larger}`;
  return `${size}, ${COLOURS[channels] ?? `${channels} channels`}`;
}

/** "Radford, Metz, Chintala 2015", as far as it is known. */
export const authors = (card) => [card.paper?.authors, card.paper?.year].filter(Boolean).join(" ");

/** "z float32 [batch, 100], normal". */
export function tensor({ name, dtype, shape, prior, range, classes }) {
  const drawn = prior ? `, ${Object.keys(prior)[0]}` : "";
  const limits = range ? ` in [${range.join(", ")}]` : "";
  const known = classes?.length ? `, one of ${classes.length} classes` : "";
  return `${name} ${dtype} [${shape.join(", ")}]${drawn}${limits}${known}`;
}
