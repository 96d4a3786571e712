import { type BlobPlace, type BlobService, blake3, MemoryBlobService } from "@tvix/castore";
import { beforeEach, describe, expect, it } from "vitest";
import { type Piece, type Slice, wholePiece } from "./piece.js";
import { PieceSource } from "./piece-source.js";

const KIB = 1024;
const MIB = 1024 * KIB;

/** Number `i`, each byte of which is `i`. */
function piece(i: number, length: number): Piece {
  return wholePiece(blake3(Uint8Array.of(i)), length);
}

function all(one: Piece): Slice {
  return { piece: one, start: 0, end: one.length };
}

function never(): AbortSignal {
  return new AbortController().signal;
}

function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Blobs by key. */
let contents: Map<string, number>;
/** Ends the calls of fillMany() that are under way, by number. */
let ends: (() => void)[];
/** Whether calls end by themselves. */
let isQuick: boolean;

beforeEach(() => {
  contents = new Map();
  for (let i = 0; i < 200; i++) contents.set(blake3(Uint8Array.of(i)).key, i);
  ends = [];
  isQuick = true;
});

function blobs(): BlobService {
  const fillMany = async (places: readonly BlobPlace[], memory: SharedArrayBuffer) => {
    const fill = (): void => {
      for (const { digest, offset, length } of places) {
        new Uint8Array(memory, offset, length).fill(contents.get(digest.key) ?? 0);
      }
    };
    if (isQuick) fill();
    else await new Promise<void>((resolve) => ends.push(resolve)).then(fill);
    return [];
  };
  return Object.assign(new MemoryBlobService(), { fillMany });
}

/** Which pieces the bytes are of. */
function valuesOf(parts: readonly Uint8Array[]): number[] {
  return parts.map((part) => {
    const [first = 0] = part;
    return part.every((byte) => byte === first) ? first : -1;
  });
}

describe("PieceSource.read()", () => {
  it("gives bytes that stay until the event loop turns", async () => {
    const source = new PieceSource(blobs(), 8 * MIB);
    const seen: number[][] = [];
    const one = all(piece(1, MIB));
    isQuick = false;
    const first = source.read([one], never);
    const second = source.read([one], never);
    isQuick = true;
    const looking = [first, second].map(async (reading) => {
      const parts = await reading;
      // Memory that was free by now would be filled at once.
      const next = source.read([all(piece(2 + seen.length, MIB))], never);
      seen.push(valuesOf(parts));
      await next;
    });
    ends[0]?.();
    await Promise.all(looking);
    expect(seen).toEqual([[1], [1]]);
  });

  it("keeps what has landed for those who wait for something else besides", async () => {
    const source = new PieceSource(blobs(), 2 * MIB);
    isQuick = false;
    const [early, late] = [piece(1, MIB), piece(2, MIB)];
    source.readAhead([early]);
    const reading = source.read([all(early), all(late)], never);
    isQuick = true;
    ends[0]?.();
    await turn();
    // All that there is room for, some times, but not read to the end.
    for (let i = 3; i < 20; i++) {
      const part = { piece: piece(i, MIB), start: 0, end: 10 };
      expect(valuesOf(await source.read([part], never))).toEqual([i]);
      await turn();
    }
    ends[1]?.();
    expect(valuesOf(await reading)).toEqual([1, 2]);
  });

  it("keeps what was at hand for those who wait for the rest", async () => {
    const source = new PieceSource(blobs(), 2 * MIB);
    const [known, late] = [piece(1, MIB), piece(2, MIB)];
    await source.read([{ piece: known, start: 0, end: 10 }], never);
    isQuick = false;
    const reading = source.read([all(known), all(late)], never);
    isQuick = true;
    for (let i = 3; i < 20; i++) {
      await turn();
      await source.read([all(piece(i, MIB))], never);
    }
    ends[0]?.();
    expect(valuesOf(await reading)).toEqual([1, 2]);
  });

  it("uses the memory of what has been read again", async () => {
    const memories = new Set<SharedArrayBuffer>();
    const service = blobs();
    const fillMany = service.fillMany?.bind(service);
    service.fillMany = (places, memory) => {
      memories.add(memory);
      return fillMany?.(places, memory) ?? Promise.resolve([]);
    };
    const source = new PieceSource(service, 8 * MIB);
    for (let i = 0; i < 50; i++) {
      const pieces = [0, 1, 2].map((k) => piece(3 * i + k, 300 * KIB));
      expect(valuesOf(await source.read(pieces.map(all), never))).toEqual([
        3 * i,
        3 * i + 1,
        3 * i + 2,
      ]);
      await turn();
    }
    expect(memories.size).toBeLessThan(4);
  });
});
