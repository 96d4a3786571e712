import { concatBytes } from "@tvix/castore";
import type { SeededRandom } from "@tvix/castore/testing";

/** Lengths that arithmetic gets wrong. */
const LENGTHS = [
  0n,
  1n,
  7n,
  255n,
  256n,
  4096n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 8n,
  2n ** 64n - 1n,
];

/** `bytes` with a few things changed, most of them where a NAR has its words: at multiples of 8. */
export function mutate(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  let mutated: Uint8Array = new Uint8Array(bytes);
  for (let i = random.below(3); i >= 0; i--) mutated = change(mutated, random);
  return mutated;
}

function change(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const at = random.below(bytes.byteLength + 1);
  const word = at - (at % 8);
  switch (random.below(8)) {
    case 0:
      return bytes.map((byte, i) => (i === at ? byte ^ (1 << random.below(8)) : byte));
    case 1:
      return bytes.map((byte, i) => (i === at ? random.below(256) : byte));
    case 2:
      return bytes.subarray(0, at);
    case 3: {
      // A string less, or several.
      const end = word + 8 * (1 + random.below(4));
      return concatBytes([bytes.subarray(0, word), bytes.subarray(end)]);
    }
    case 4: {
      const end = word + 8 * (1 + random.below(12));
      return concatBytes([bytes.subarray(0, end), bytes.subarray(word)]);
    }
    case 5: {
      const length = new Uint8Array(8);
      new DataView(length.buffer).setBigUint64(0, random.pick(LENGTHS), true);
      return concatBytes([bytes.subarray(0, word), length, bytes.subarray(word + 8)]);
    }
    case 6:
      return concatBytes([bytes.subarray(0, at), random.bytes(8), bytes.subarray(at)]);
    default: {
      // Another part of the same archive.
      const from = 8 * random.below(Math.ceil(bytes.byteLength / 8));
      const part = bytes.subarray(from, from + 8 * (1 + random.below(12)));
      return concatBytes([bytes.subarray(0, word), part, bytes.subarray(word + part.byteLength)]);
    }
  }
}
