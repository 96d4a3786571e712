// The WebAssembly of src/bao/tree-kernel.ts as text: BLAKE3 compression of four inputs at a time. Text is
// made here, not written by hand, because the seven rounds differ only in the order of the message words.
//
// Source of the algorithm and its constants: the BLAKE3 paper (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2021),
// sections 2.1 to 2.4.

const INITIAL_VALUES = [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a];
const REST_OF_INITIAL_VALUES = [0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];
const MESSAGE_PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];
const ROUNDS = 7;

/** State words that are mixed together: columns first, then diagonals. */
const QUARTERS = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
];

const BLOCK_BYTES = 64;
const VALUE_BYTES = 32;

const get = (name) => `(local.get $${name})`;
const set = (name, value) => `(local.set $${name} ${value})`;
const add = (a, b) => `(i32x4.add ${a} ${b})`;
const splat = (value) => `(i32x4.splat ${value})`;
const i32 = (value) => `(i32.const ${value})`;
const plus = (a, b) => `(i32.add ${a} ${b})`;
const times = (a, b) => `(i32.mul ${a} ${b})`;
const range = (length) => Array.from({ length }, (_, i) => i);

/** Rotation by whole bytes is a shuffle; by other counts it takes two shifts. */
function rotateRight(value, bits) {
  if (bits % 8 === 0) {
    const bytes = range(16).map((i) => (i & ~3) + (((i & 3) + bits / 8) & 3));
    return `(i8x16.shuffle ${bytes.join(" ")} (local.tee $t ${value}) ${get("t")})`;
  }
  const right = `(i32x4.shr_u (local.tee $t ${value}) ${i32(bits)})`;
  return `(v128.or ${right} (i32x4.shl ${get("t")} ${i32(32 - bits)}))`;
}

function half(a, b, c, d, word, bitsOfD, bitsOfB) {
  return [
    set(a, add(add(get(a), get(b)), get(word))),
    set(d, rotateRight(`(v128.xor ${get(d)} ${get(a)})`, bitsOfD)),
    set(c, add(get(c), get(d))),
    set(b, rotateRight(`(v128.xor ${get(b)} ${get(c)})`, bitsOfB)),
  ];
}

function rounds() {
  const lines = [];
  let order = range(16);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, quarter] of QUARTERS.entries()) {
      const [a, b, c, d] = quarter.map((word) => `v${word}`);
      lines.push(...half(a, b, c, d, `m${order[2 * i]}`, 16, 12));
      lines.push(...half(a, b, c, d, `m${order[2 * i + 1]}`, 8, 7));
    }
    order = MESSAGE_PERMUTATION.map((from) => order[from]);
  }
  return lines;
}

const shuffle = (lanes, a, b) => `(i8x16.shuffle ${lanes.join(" ")} ${get(a)} ${get(b)})`;
const bytesOf = (words) => words.flatMap((word) => range(4).map((i) => 4 * word + i));
const LOW_WORDS = bytesOf([0, 4, 1, 5]);
const HIGH_WORDS = bytesOf([2, 6, 3, 7]);
const LOW_PAIRS = bytesOf([0, 1, 4, 5]);
const HIGH_PAIRS = bytesOf([2, 3, 6, 7]);

/** Turns rows into columns: lane j of word i becomes lane i of word j. */
function transpose([a, b, c, d]) {
  return [
    set("t0", shuffle(LOW_WORDS, a, b)),
    set("t1", shuffle(HIGH_WORDS, a, b)),
    set("t2", shuffle(LOW_WORDS, c, d)),
    set("t3", shuffle(HIGH_WORDS, c, d)),
    set(a, shuffle(LOW_PAIRS, "t0", "t2")),
    set(b, shuffle(HIGH_PAIRS, "t0", "t2")),
    set(c, shuffle(LOW_PAIRS, "t1", "t3")),
    set(d, shuffle(HIGH_PAIRS, "t1", "t3")),
  ];
}

/** The next 64 bytes of the four inputs, word by word. */
function loadMessage() {
  return range(4).flatMap((quarter) => {
    const words = range(4).map((i) => `m${4 * quarter + i}`);
    const loads = words.map((word, input) => {
      const address = plus(get("block"), times(get("stride"), i32(input)));
      return set(word, `(v128.load offset=${16 * quarter} align=1 ${address})`);
    });
    return [...loads, ...transpose(words)];
  });
}

function storeValues() {
  return [0, 4].flatMap((first) => {
    const words = range(4).map((i) => `h${first + i}`);
    const stores = words.map((word, input) => {
      const offset = VALUE_BYTES * input + 4 * first;
      return `(v128.store offset=${offset} align=1 ${get("out")} ${get(word)})`;
    });
    return [...transpose(words), ...stores];
  });
}

/** The whole module. */
export function treeKernelText() {
  const constants = [...INITIAL_VALUES, ...REST_OF_INITIAL_VALUES];
  const vectors = [
    ...range(16).flatMap((i) => [`v${i}`, `m${i}`]),
    ...range(8).map((i) => `h${i}`),
    ...["t", "t0", "t1", "t2", "t3", "counters", "carries"],
  ];
  const isLast = `(i32.eq ${get("left")} ${i32(1)})`;
  const isFirst = `(i32.eq ${get("left")} ${get("blocks")})`;
  const orZero = (value, condition) => `(select ${value} ${i32(0)} ${condition})`;
  const flags = `(i32.or ${get("flags")} (i32.or ${orZero(get("first_flags"), isFirst)} ${orZero(get("last_flags"), isLast)}))`;
  const length = `(select ${get("last_length")} ${i32(BLOCK_BYTES)} ${isLast})`;
  return `(module
  (memory (export "memory") 1)
  ;; The values of four inputs of the same number of blocks, written to $out one behind the other.
  (func (export "compress4")
    (param $input i32)        ;; address of the first
    (param $stride i32)       ;; from each to the next
    (param $blocks i32)       ;; 64 bytes each, at least 1
    (param $last_length i32)  ;; bytes of the last block that count; the others are 0
    (param $counter_low i32) (param $counter_high i32) ;; of the first
    (param $counter_step i32) ;; from each to the next
    (param $flags i32) (param $first_flags i32) (param $last_flags i32) ;; of all, the first, the last block
    (param $out i32)
    (local $block i32) (local $left i32)
    ${vectors.map((name) => `(local $${name} v128)`).join(" ")}
    ${constants.map((value, i) => set(`h${i}`, splat(i32(value)))).join("\n    ")}
    ${set("counters", add(splat(get("counter_low")), `(i32x4.mul (v128.const i32x4 0 1 2 3) ${splat(get("counter_step"))})`))}
    ${set("carries", splat(get("counter_high")))}
    ${set("block", get("input"))}
    ${set("left", get("blocks"))}
    (loop $next
    ${loadMessage().join("\n    ")}
    ${range(8)
      .map((i) => set(`v${i}`, get(`h${i}`)))
      .join("\n    ")}
    ${INITIAL_VALUES.map((value, i) => set(`v${8 + i}`, splat(i32(value)))).join("\n    ")}
    ${set("v12", get("counters"))}
    ${set("v13", get("carries"))}
    ${set("v14", splat(length))}
    ${set("v15", splat(flags))}
    ${rounds().join("\n    ")}
    ${range(8)
      .map((i) => set(`h${i}`, `(v128.xor ${get(`v${i}`)} ${get(`v${i + 8}`)})`))
      .join("\n    ")}
    ${set("block", plus(get("block"), i32(BLOCK_BYTES)))}
    (br_if $next (local.tee $left (i32.sub ${get("left")} ${i32(1)}))))
    ${storeValues().join("\n    ")}))
`;
}
