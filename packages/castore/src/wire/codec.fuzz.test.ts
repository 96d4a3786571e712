/**
 * Decoders get valid encodings that were damaged in many ways. Whatever comes: the value that encodes
 * to exactly those bytes, or the typed error. The seed is fixed; TVIX_FUZZ_SEED and TVIX_FUZZ_RUNS
 * make longer or other runs.
 */
import { describe, expect, it } from "vitest";
import { concatBytes, equalBytes, toHex } from "../bytes.js";
import { InvalidDirectoryError } from "../nodes/directory.js";
import { directoryNode, fileNode, symlinkNode } from "../nodes/node.js";
import { SymlinkTarget } from "../nodes/symlink-target.js";
import { PathComponent } from "../path/component.js";
import { DIRECTORY_FIXTURES, EMPTY_DIGEST, NODE_FIXTURES } from "../testing/fixtures.js";
import { SeededRandom } from "../testing/seeded-random.js";
import { decodeDirectory, encodeDirectory } from "./directory-codec.js";
import { decodeNode, encodeNode, InvalidNodeError } from "./node-codec.js";

const SEED = Number(process.env["TVIX_FUZZ_SEED"] ?? 20240817);
const RUNS = Number(process.env["TVIX_FUZZ_RUNS"] ?? 60_000);
/**
 * Processor time for one input, far above what the slowest machine needs for these lengths. Time on
 * the clock would tell how busy the machine is.
 */
const MAX_MICROSECONDS = 2_000_000;

type Mutation = (bytes: Uint8Array, random: SeededRandom) => Uint8Array;

/** Bytes that mean something: tags, lengths around borders, continuation bits. */
const TELLING = [
  0x00, 0x01, 0x0a, 0x12, 0x18, 0x1a, 0x20, 0x21, 0x22, 0x2e, 0x2f, 0x7f, 0x80, 0xff,
];

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) => {
    const at = random.below(bytes.byteLength);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
    return bytes;
  },
  (bytes, random) => {
    bytes[random.below(bytes.byteLength)] = random.pick(TELLING);
    return bytes;
  },
  (bytes, random) => {
    const at = random.below(bytes.byteLength);
    bytes[at] = (bytes[at] ?? 0) + random.pick([-1, 1]);
    return bytes;
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.byteLength + 1)),
  (bytes, random) => splice(bytes, random, Uint8Array.of(random.pick(TELLING))),
  (bytes, random) => splice(bytes, random, random.bytes(random.below(5))),
  (bytes, random) => {
    const start = random.below(bytes.byteLength);
    const part = bytes.subarray(start, start + random.below(50));
    return splice(bytes, random, part);
  },
  // A longer spelling of a byte that may be a varint.
  (bytes, random) => {
    const at = random.below(bytes.byteLength);
    const longer = Uint8Array.of((bytes[at] ?? 0) | 0x80, 0);
    return concatBytes([bytes.subarray(0, at), longer, bytes.subarray(at + 1)]);
  },
];

function splice(bytes: Uint8Array, random: SeededRandom, part: Uint8Array): Uint8Array {
  const start = random.below(bytes.byteLength + 1);
  const end = Math.min(bytes.byteLength, start + random.below(4));
  return concatBytes([bytes.subarray(0, start), part, bytes.subarray(end)]);
}

function mutate(seeds: readonly Uint8Array[], random: SeededRandom): Uint8Array {
  let bytes = concatBytes([random.pick(seeds)]);
  for (let i = random.below(3); i >= 0; i--) bytes = random.pick(MUTATIONS)(bytes, random);
  // Half of all damage would only ever hit the outermost length: repair that now and then.
  if (bytes.byteLength > 2 && random.below(2) === 0) bytes[1] = Math.min(127, bytes.byteLength - 2);
  return bytes;
}

function fuzz<T>(
  seeds: readonly Uint8Array[],
  decode: (bytes: Uint8Array) => T,
  encode: (value: T) => Uint8Array,
  isExpected: (error: unknown) => boolean,
): { accepted: number; reasons: Set<string> } {
  const random = new SeededRandom(SEED);
  const reasons = new Set<string>();
  let accepted = 0;
  for (let run = 0; run < RUNS; run++) {
    const bytes = mutate(seeds, random);
    const input = concatBytes([bytes]);
    const started = process.cpuUsage();
    try {
      const again = encode(decode(input));
      accepted++;
      if (!equalBytes(again, bytes)) throw new Error(`Accepted ${toHex(bytes)}`);
    } catch (error) {
      if (!isExpected(error)) throw new Error(`Run ${run}: ${toHex(bytes)}`, { cause: error });
      reasons.add((error as InvalidDirectoryError).reason);
    }
    const { user, system } = process.cpuUsage(started);
    if (user + system > MAX_MICROSECONDS) throw new Error(`Slow: ${toHex(bytes)}`);
    if (!equalBytes(input, bytes)) throw new Error(`Input was written to: ${toHex(bytes)}`);
  }
  return { accepted, reasons };
}

const name = PathComponent.parse("some name");
const link = symlinkNode(SymlinkTarget.parse("../target"));
const NODES = [
  ...NODE_FIXTURES.map(({ node }) => encodeNode(node)),
  encodeNode(link, name),
  encodeNode(fileNode(EMPTY_DIGEST, 2n ** 64n - 1n, true), name),
  encodeNode(directoryNode(EMPTY_DIGEST, 300n), name),
];
const DIRECTORIES = [
  ...DIRECTORY_FIXTURES.map(({ encoding }) => new Uint8Array(Buffer.from(encoding, "hex"))),
  // A Node is encoded like a Directory with one entry.
  ...NODES,
];

describe(`codecs on damaged input (seed ${SEED}, ${RUNS} runs)`, () => {
  it("decodeDirectory() gives what encodes to its input, or InvalidDirectoryError", () => {
    const { accepted, reasons } = fuzz(
      DIRECTORIES,
      (bytes) => decodeDirectory(bytes),
      encodeDirectory,
      (error) => error instanceof InvalidDirectoryError,
    );
    expect(accepted).toBeGreaterThan(RUNS / 100);
    for (const reason of ["malformed", "not-canonical", "invalid-name", "invalid-node"]) {
      expect(reasons).toContain(reason);
    }
  }, 600_000);

  it("decodeNode() gives what encodes to its input, or InvalidNodeError", () => {
    const { accepted, reasons } = fuzz(
      NODES,
      decodeNode,
      (value) => encodeNode(value.node, value.name),
      (error) => error instanceof InvalidNodeError,
    );
    expect(accepted).toBeGreaterThan(RUNS / 100);
    for (const reason of ["malformed", "not-canonical", "several-nodes", "no-node"]) {
      expect(reasons).toContain(reason);
    }
  }, 600_000);

  it("random bytes are refused", () => {
    const random = new SeededRandom(SEED);
    for (let run = 0; run < RUNS; run++) {
      const bytes = random.bytes(1 + random.below(64));
      expectRefusal(() => decodeDirectory(bytes), InvalidDirectoryError);
      expectRefusal(() => decodeNode(bytes), InvalidNodeError);
    }
  }, 600_000);
});

function expectRefusal(run: () => unknown, type: abstract new (...args: never[]) => Error): void {
  try {
    run();
  } catch (error) {
    if (error instanceof type) return;
    throw error;
  }
  throw new Error("Random bytes were accepted");
}
