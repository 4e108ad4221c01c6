// NumPy's RandomState, number for number: the stream that gan-zoo draws latents from, so that a seed means one picture.
// MT19937 (Matsumoto, Nishimura 1998), seeded by init_by_array as RandomState([seed, crc32(name)]) does.

const WORDS = 624;
const FAR = 397;

/** CRC-32 of a text's UTF-8 bytes, as zlib.crc32: what tells the streams of several inputs apart. */
export function crc32(text) {
  let crc = ~0;
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

export class RandomState {
  /** `key`: whole numbers in 0..2**32-1, such as [seed, crc32(name)]. */
  constructor(key) {
    const mt = (this.mt = new Uint32Array(WORDS));
    const mixed = (i, factor) => Math.imul(mt[i - 1] ^ (mt[i - 1] >>> 30), factor);
    mt[0] = 19650218;
    for (let i = 1; i < WORDS; i++) mt[i] = mixed(i, 1812433253) + i;
    let i = 1;
    const step = () => {
      if (++i === WORDS) {
        mt[0] = mt[WORDS - 1];
        i = 1;
      }
    };
    for (let k = 0; k < Math.max(WORDS, key.length); k++, step()) {
      const j = k % key.length;
      mt[i] = (mt[i] ^ mixed(i, 1664525)) + key[j] + j;
    }
    for (let k = 1; k < WORDS; k++, step()) mt[i] = (mt[i] ^ mixed(i, 1566083941)) - i;
    mt[0] = 0x80000000;
    this.at = WORDS;
    this.spare = null; // the polar method makes two numbers at a time
  }

  /** A whole number in 0..2**32-1. */
  uint32() {
    if (this.at === WORDS) this.#twist();
    let y = this.mt[this.at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #twist() {
    const mt = this.mt;
    for (let k = 0; k < WORDS; k++) {
      const y = (mt[k] & 0x80000000) | (mt[(k + 1) % WORDS] & 0x7fffffff);
      mt[k] = mt[(k + FAR) % WORDS] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.at = 0;
  }

  /** U[0, 1) with 53 bits: random_sample. */
  uniform() {
    const high = this.uint32() >>> 5; // 27 bits
    const low = this.uint32() >>> 6; // 26 bits
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** N(0, 1) by Marsaglia's polar method: standard_normal. */
  normal() {
    if (this.spare !== null) {
      const spare = this.spare;
      this.spare = null;
      return spare;
    }
    let x, y, square;
    do {
      x = 2 * this.uniform() - 1;
      y = 2 * this.uniform() - 1;
      square = x * x + y * y;
    } while (square >= 1 || square === 0);
    const factor = Math.sqrt((-2 * Math.log(square)) / square);
    this.spare = factor * x;
    return factor * y;
  }

  /** A whole number in 0..count-1: randint(count), which masks 32 bits and draws again what is too large. */
  below(count) {
    const last = count - 1;
    if (last === 0) return 0; // and nothing is drawn
    const mask = 0xffffffff >>> Math.clz32(last);
    for (;;) {
      const value = (this.uint32() & mask) >>> 0;
      if (value <= last) return value;
    }
  }
}
