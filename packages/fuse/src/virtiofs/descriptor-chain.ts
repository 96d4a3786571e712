/**
 * Chains of descriptors (virtio 1.2, 2.7.5): where the bytes of a request are, and where those of its answer go.
 *
 * A descriptor is four words: address (lower half first), length, flags | next << 16. The guest may change them while they
 * are read: every word is read once, into a number, and checked there.
 */
import { copyInto } from "@tvix/castore";
import type { GuestMemory } from "./guest-memory.js";
import { VirtiofsError } from "./virtiofs-error.js";

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

const WORDS = 4;
const DESCRIPTOR_LENGTH = 16;

/** From here on, addresses are not exact as numbers. No guest has memory there. */
const FIRST_INEXACT_HIGH_WORD = 2 ** 21;

/**
 * Descriptors in an indirect table at most. Linux keeps requests of virtio-fs to the size of the queue since 5.13;
 * before, they had up to 256 pages and a few headers in one table.
 */
const MAX_INDIRECT_DESCRIPTORS = 1024;

/** Bytes of a request at most. The longest that is not a write, which is refused, is an attribute of 64 KiB. */
export const MAX_REQUEST_LENGTH: number = 2 ** 20 + 2 ** 16;

/** Room for an answer at most: 256 pages of 64 KiB, and what comes before them. */
export const MAX_REPLY_ROOM: number = 2 ** 25;

/** A request as it lies in the memory of the guest. */
export interface DescriptorChain {
  /** What the guest wrote, in order. */
  readonly readable: readonly Uint8Array[];
  readonly readableLength: number;
  /** Where the answer goes, in order. */
  readonly writable: readonly Uint8Array[];
  readonly writableLength: number;
}

interface Collected {
  readable: Uint8Array[];
  readableLength: number;
  writable: Uint8Array[];
  writableLength: number;
}

/** The descriptors of a queue, and the memory that they speak of. */
export interface DescriptorTable {
  readonly descriptors: Uint32Array;
  readonly size: number;
  readonly memory: GuestMemory;
}

/**
 * Follows the chain that begins at `head`.
 *
 * @throws {@link VirtiofsError} for a chain that is longer than its table, leaves it or the memory of the guest, has
 *   something to read behind something to write, a nested table, or is too long altogether
 */
export function readChain(table: DescriptorTable, head: number): DescriptorChain {
  const chain: Collected = {
    readable: [],
    readableLength: 0,
    writable: [],
    writableLength: 0,
  };
  followChain(chain, table, head, (flags, address, length) => {
    if ((flags & NEXT) !== 0) throw bad("a descriptor of a table has a next one");
    const descriptors = copyIndirectTable(table.memory, address, length);
    const size = descriptors.length / WORDS;
    followChain(chain, { descriptors, size, memory: table.memory }, 0, () => {
      throw bad("a table within a table");
    });
  });
  return chain;
}

/** Copies what a chain says into `target`, which has room for it. */
export function copyReadable(chain: DescriptorChain, target: Uint8Array): void {
  let at = 0;
  for (const slice of chain.readable) {
    target.set(slice, at);
    at += slice.length;
  }
}

/**
 * Copies `parts`, in order, to where the answer goes. What there is no room for is left out.
 *
 * @returns how many bytes were written
 */
export function writeParts(chain: DescriptorChain, parts: readonly Uint8Array[]): number {
  let written = 0;
  let slot = 0;
  let slotAt = 0;
  for (const part of parts) {
    let partAt = 0;
    while (partAt < part.length) {
      const slice = chain.writable[slot];
      if (slice === undefined) return written;
      const length = Math.min(part.length - partAt, slice.length - slotAt);
      copyInto(slice, slotAt, subarrayOf(part, partAt, length));
      written += length;
      partAt += length;
      slotAt += length;
      if (slotAt === slice.length) {
        slot += 1;
        slotAt = 0;
      }
    }
  }
  return written;
}

type OnIndirect = (flags: number, address: number, length: number) => void;

function followChain(
  chain: Collected,
  table: DescriptorTable,
  head: number,
  onIndirect: OnIndirect,
): void {
  const { descriptors, size, memory } = table;
  let index = head;
  // More steps than descriptors: the chain comes back to where it was.
  for (let steps = 0; steps < size; steps += 1) {
    if (index >= size) throw bad(`descriptor ${index} of ${size}`);
    const at = index * WORDS;
    const low = descriptors[at] as number;
    const high = descriptors[at + 1] as number;
    const length = descriptors[at + 2] as number;
    const link = descriptors[at + 3] as number;
    if (high >= FIRST_INEXACT_HIGH_WORD) throw bad(`an address above 2^53`);
    const address = high * 2 ** 32 + low;
    if ((link & INDIRECT) !== 0) onIndirect(link, address, length);
    else if ((link & WRITE) !== 0) addWritable(chain, memory, address, length);
    else addReadable(chain, memory, address, length);
    if ((link & NEXT) === 0) return;
    index = link >>> 16;
  }
  throw bad(`more than ${size} descriptors`);
}

function addReadable(chain: Collected, memory: GuestMemory, address: number, length: number): void {
  if (chain.writableLength > 0) throw bad("something to read behind something to write");
  chain.readableLength += length;
  if (chain.readableLength > MAX_REQUEST_LENGTH) {
    throw bad(`a request of more than ${MAX_REQUEST_LENGTH} bytes`);
  }
  memory.addSlices(chain.readable, address, length);
}

function addWritable(chain: Collected, memory: GuestMemory, address: number, length: number): void {
  chain.writableLength += length;
  if (chain.writableLength > MAX_REPLY_ROOM) {
    throw bad(`room for an answer of more than ${MAX_REPLY_ROOM} bytes`);
  }
  memory.addSlices(chain.writable, address, length);
}

function copyIndirectTable(memory: GuestMemory, address: number, length: number): Uint32Array {
  const count = length / DESCRIPTOR_LENGTH;
  if (!Number.isInteger(count) || count === 0 || count > MAX_INDIRECT_DESCRIPTORS) {
    throw bad(`a table of ${length} bytes`);
  }
  const slices: Uint8Array[] = [];
  memory.addSlices(slices, address, length);
  const copy = new Uint8Array(length);
  copyReadable({ readable: slices, readableLength: length, writable: [], writableLength: 0 }, copy);
  return new Uint32Array(copy.buffer);
}

function subarrayOf(bytes: Uint8Array, start: number, length: number): Uint8Array {
  return start === 0 && length === bytes.length ? bytes : bytes.subarray(start, start + length);
}

function bad(what: string): VirtiofsError {
  return new VirtiofsError("chain", `Cannot follow a chain of descriptors: ${what}`);
}
