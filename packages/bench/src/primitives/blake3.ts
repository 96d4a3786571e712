import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { blake3, createBlake3, toHex } from "@tvix/castore";
import { type Figure, secondsPerAsyncCall, secondsPerCall } from "./sample.js";
import { seededBytes } from "./seeded-bytes.js";

type Hash = (bytes: Uint8Array) => Uint8Array;

/** The two libraries behind `blake3()`, called directly. */
interface Libraries {
  readonly wasm: Hash;
  readonly native: Hash | undefined;
}

const WASM_LIBRARY = "blake3-wasm";
const NATIVE_LIBRARY = "@napi-rs/blake-hash";

/** The reference program. */
const B3SUM = "b3sum";

const KIB = 1024;
const MIB = 1024 * KIB;

const SIZES: readonly (readonly [string, number])[] = [
  ["100 B", 100],
  ["1 KiB", KIB],
  ["2 KiB", 2 * KIB],
  ["3 KiB", 3 * KIB],
  ["4 KiB", 4 * KIB],
  ["16 KiB", 16 * KIB],
  ["64 KiB", 64 * KIB],
  ["1 MiB", MIB],
  ["16 MiB", 16 * MIB],
];

/** Pieces in which a stream is hashed. */
const PIECE_BYTES = 256 * KIB;

const GROUP = "BLAKE3, MB/s";

/** Hash rates by size, of what the library offers and of what it is made of. */
export function* blake3Figures(): Generator<Figure, void, undefined> {
  const libraries = loadLibraries();
  for (const [row, size] of SIZES) {
    const bytes = seededBytes("blake3", size);
    const rate = (work: () => unknown): number => size / secondsPerCall(work) / 1e6;
    const { wasm, native } = libraries;
    yield { group: GROUP, row, column: "blake3()", value: rate(() => blake3(bytes)) };
    yield { group: GROUP, row, column: WASM_LIBRARY, value: rate(() => wasm(bytes)) };
    yield {
      group: GROUP,
      row,
      column: NATIVE_LIBRARY,
      value: native && rate(() => native(bytes)),
    };
    const sha256 = rate(() => createHash("sha256").update(bytes).digest());
    yield { group: GROUP, row, column: "SHA-256 of Node", value: sha256 };
  }
  yield streamFigure();
}

function streamFigure(): Figure {
  const bytes = seededBytes("blake3", 16 * MIB);
  const seconds = secondsPerCall(() => {
    const hash = createBlake3();
    for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) {
      hash.update(bytes.subarray(at, at + PIECE_BYTES));
    }
    hash.digest();
  });
  const value = bytes.byteLength / seconds / 1e6;
  return { group: GROUP, row: "16 MiB in pieces of 256 KiB", column: "blake3()", value };
}

/** The reference program on a file in memory, its start included. */
export async function b3sumFigure(folder: string): Promise<Figure> {
  const size = 256 * MIB;
  const name = { group: GROUP, row: "256 MiB file", column: "b3sum, 1 thread" };
  if (spawnSync(B3SUM, ["--version"]).status !== 0) return { ...name, value: undefined };
  const file = join(folder, "b3sum");
  writeFileSync(file, seededBytes("blake3", size));
  const seconds = await secondsPerAsyncCall(async () => {
    const { status } = spawnSync(B3SUM, ["--num-threads", "1", file]);
    if (status !== 0) throw new Error(`Cannot measure b3sum: exit status ${status}`);
  });
  rmSync(file);
  return { ...name, value: size / seconds / 1e6 };
}

/**
 * Both are dependencies of castore, and found from there.
 *
 * @throws Error when one of them gives another digest than `blake3()` does
 */
function loadLibraries(): Libraries {
  const require = createRequire(import.meta.resolve("@tvix/castore"));
  const wasm = require(WASM_LIBRARY) as { hash: Hash };
  let native: { blake3: Hash } | undefined;
  try {
    native = require(NATIVE_LIBRARY) as { blake3: Hash };
  } catch {
    // Optional; then its column stays empty.
  }
  const libraries = { wasm: wasm.hash, native: native?.blake3 };
  const bytes = seededBytes("check", 5000);
  const expected = toHex(blake3(bytes).toBytes());
  for (const [name, hash] of Object.entries(libraries)) {
    if (hash !== undefined && toHex(hash(bytes)) !== expected) {
      throw new Error(`Cannot measure BLAKE3: ${name} gives another digest`);
    }
  }
  return libraries;
}
