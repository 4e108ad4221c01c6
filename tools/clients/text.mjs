// Words of a text as ids, by the rule that the manifest states: the counterpart of gan-zoo's core/text.py, for this page
// and for programs under Node.

export const RULE = "words-1";
const SHOWN = 8; // words in a message
const LONGEST_WORD = 30; // characters of one in a message

/** The words of a text: NFKC, each code point in lower case by itself, runs of letters, marks and numbers. */
export function split(text) {
  const lower = Array.from(text.normalize("NFKC"), (letter) => letter.toLowerCase()).join("");
  return lower.match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
}

/** The ids by word of a vocabulary file: a word a line, ids from 1 on. */
export const vocabulary = (file) => new Map(file.replace(/\n$/, "").split("\n").map((word, i) => [word, i + 1]));

/** {ids [longest], unknown, cut} of a text. Throws where no word of it is known. */
export function read(index, text, longest) {
  const words = split(text);
  if (!words.length) throw new Error("The text has no word in it.");
  const known = words.filter((word) => index.has(word));
  const unknown = [...new Set(words.filter((word) => !index.has(word)))];
  if (!known.length) throw new Error(`None of the words is in the vocabulary: ${shown(unknown)}.`);
  const ids = known.slice(0, longest).map((word) => index.get(word));
  return { ids: [...ids, ...Array(longest - ids.length).fill(0)], unknown, cut: known.slice(longest) };
}

/** What was left out, in words; "" where everything was read. */
export function complaint({ ids, unknown, cut }) {
  const skipped = unknown.length ? [`skipped unknown words: ${shown(unknown)}`] : [];
  const beyond = cut.length ? [`cut after ${ids.length} words: ${shown(cut)}`] : [];
  return [...skipped, ...beyond].join("; ");
}

function shown(words) {
  const short = words.slice(0, SHOWN).map((word) => Array.from(word));
  const first = short.map((word) => (word.length <= LONGEST_WORD ? word : [...word.slice(0, 29), "\u2026"]).join(""));
  const more = words.length - SHOWN;
  return first.join(", ") + (more > 0 ? ` and ${more.toLocaleString("en")} more` : "");
}
