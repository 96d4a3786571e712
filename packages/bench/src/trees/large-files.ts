// The five files of T2: what does not compress, text, small files in one, almost the same again, zeros.
import { createCipheriv } from "node:crypto";
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { joinBytes, walkTree } from "./walk-tree.js";

/** The files share the whole size in sixteenths: 4 + 4 + 4 + 3 + 1. */
const SHARES = 16;

/** How much is made and written at once. */
const BLOCK_BYTES = 4 * 1024 * 1024;

/** Length of the name before each file in the file of small files, as in a tar archive. */
const NAME_BYTES = 512;

/** How far, and in how many places, the shifted copy differs from its original. */
const SHIFT_BYTES = 1000;
const EDITS = 100;
const EDIT_DISTANCE = 2_000_003;

/**
 * Makes five files in a new folder, `bytes` together.
 *
 * @param smallFiles - a tree whose files the third one is made of; it stays shorter when they do not
 *   suffice
 */
export function makeLargeFiles(folder: string, smallFiles: string, bytes: number): void {
  const share = Math.floor(bytes / SHARES);
  mkdirSync(folder, { recursive: true });
  writeFile(join(folder, "random.bin"), randomBlocks(4 * share));
  writeFile(join(folder, "text.log"), textBlocks(4 * share));
  writeFile(join(folder, "mixed.bin"), limited(archiveBlocks(smallFiles), 4 * share));
  writeFile(join(folder, "shifted.bin"), shiftedBlocks(join(folder, "random.bin"), 3 * share));
  writeFile(join(folder, "zeros.bin"), limited(zeroBlocks(), share));
  chmodSync(join(folder, "mixed.bin"), 0o755);
  utimesSync(folder, 1, 1);
}

function writeFile(path: string, blocks: Iterable<Uint8Array>): void {
  const fd = openSync(path, "wx", 0o644);
  try {
    for (const block of blocks) writeSync(fd, block);
  } finally {
    closeSync(fd);
  }
  utimesSync(path, 1, 1);
}

function* zeroBlocks(): Generator<Uint8Array, never, undefined> {
  const block = new Uint8Array(BLOCK_BYTES);
  while (true) yield block;
}

/** The key stream of AES-256 in counter mode under a fixed key. */
function* randomBlocks(bytes: number): Generator<Uint8Array, void, undefined> {
  const key = Uint8Array.from({ length: 32 }, (_, index) => index);
  const cipher = createCipheriv("aes-256-ctr", key, new Uint8Array(16));
  for (const block of limited(zeroBlocks(), bytes)) yield cipher.update(block);
}

const WORDS = {
  method: ["GET", "PUT", "HEAD"],
  prefix: ["/nix-cache-info", "/nar/", "narinfo"],
  status: ["200", "404"],
  client: ["127.0.0.1", "10.0.0.7"],
} as const;

/** Lines like those of a web server's log, from a linear congruential generator (Knuth's MMIX). */
function* textBlocks(bytes: number): Generator<Uint8Array, void, undefined> {
  let state = 12345n;
  let block = "";
  for (let left = bytes; left > 0; ) {
    state = BigInt.asUintN(64, state * 6364136223846793005n + 1442695040888963407n);
    block += logLine(state);
    if (block.length < Math.min(BLOCK_BYTES, left)) continue;
    const part = Buffer.from(block.slice(0, left), "latin1");
    yield part;
    left -= part.byteLength;
    block = "";
  }
}

function logLine(state: bigint): string {
  const high = Number(state >> 32n);
  const bits = (shift: number, modulus: number): number => (high >>> (shift - 32)) % modulus;
  const two = (value: number): string => String(value).padStart(2, "0");
  const date = `2024-${two(bits(60, 12) + 1)}-${two(bits(55, 28) + 1)}T${two(bits(50, 24))}:${two(bits(44, 60))}`;
  const path = `${WORDS.prefix[bits(38, 3)]}${high.toString(16).padStart(8, "0")}`;
  const size = Number((state >> 20n) % 100_000n);
  return `${date} ${WORDS.client[bits(43, 2)]} ${WORDS.method[bits(40, 3)]} ${path} ${WORDS.status[bits(37, 2)]} ${size}\n`;
}

/** All files of a tree behind each other, each after its name and filled up to whole 512 bytes. */
function* archiveBlocks(root: string): Generator<Uint8Array, void, undefined> {
  const base = Buffer.from(root);
  for (const { relative, stats } of walkTree(root)) {
    if (!stats.isFile()) continue;
    const content = readFileSync(joinBytes(base, relative));
    const padded = Math.ceil(content.byteLength / NAME_BYTES) * NAME_BYTES;
    const member = new Uint8Array(NAME_BYTES + padded);
    member.set(relative.subarray(0, NAME_BYTES));
    member.set(content, NAME_BYTES);
    yield member;
  }
}

/** Another file's bytes behind 1000 new ones, with 100 of them changed. */
function* shiftedBlocks(original: string, bytes: number): Generator<Uint8Array, void, undefined> {
  const shift = Math.min(SHIFT_BYTES, bytes);
  yield new Uint8Array(shift).fill("S".charCodeAt(0));
  const content = readFileSync(original).subarray(0, bytes - shift);
  for (let i = 0; i < EDITS && content.byteLength > 0; i++) {
    const at = (i * EDIT_DISTANCE) % content.byteLength;
    content[at] = (content[at] ?? 0) ^ 0xff;
  }
  yield content;
}

function* limited(
  blocks: Iterable<Uint8Array>,
  bytes: number,
): Generator<Uint8Array, void, undefined> {
  let left = bytes;
  for (const block of blocks) {
    if (left <= 0) return;
    const part = block.subarray(0, left);
    yield part;
    left -= part.byteLength;
  }
}
