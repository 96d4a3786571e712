import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Descriptor, GuestDriver } from "../testing/guest-driver.js";
import { PlainRegion } from "../testing/plain-region.js";
import {
  copyReadable,
  type DescriptorChain,
  MAX_REPLY_ROOM,
  MAX_REQUEST_LENGTH,
  readChain,
  writeParts,
} from "./descriptor-chain.js";
import { GuestMemory, SharedRegion } from "./guest-memory.js";
import { SplitRing } from "./split-ring.js";
import { VirtiofsError } from "./virtiofs-error.js";

const BASE = 0x10_0000;
const SIZE = 8;
const [NEXT, WRITE, INDIRECT] = [1, 2, 4];

interface Sample {
  readonly region: PlainRegion;
  readonly driver: GuestDriver;
  readChain(head: number): DescriptorChain;
}

function sample(): Sample {
  const region = new PlainRegion(BASE, 65536, 8192);
  const memory = new GuestMemory([new SharedRegion(region)], 8192);
  const driver = new GuestDriver({
    memory: region.bytes,
    guestAddress: BASE,
    start: 0,
    end: 65536,
    size: SIZE,
  });
  const ring = new SplitRing(driver.parts, { size: SIZE, base: 0, usesEventIndex: true });
  const { descriptors } = ring;
  return {
    region,
    driver,
    readChain: (head) => readChain({ descriptors, size: SIZE, memory }, head),
  };
}

function set(driver: GuestDriver, descriptors: readonly Partial<Descriptor>[]): void {
  for (const [i, descriptor] of descriptors.entries()) {
    driver.setDescriptor(i, { address: BASE + 4096, length: 16, flags: 0, next: 0, ...descriptor });
  }
}

function bytesOf(chain: DescriptorChain): Uint8Array {
  const bytes = new Uint8Array(chain.readableLength);
  copyReadable(chain, bytes);
  return bytes;
}

describe("readChain()", () => {
  it.each([false, true])(
    "finds a request and the room for its answer; indirect: %s",
    (isIndirect) => {
      const { driver, region, readChain } = sample();
      const readable = [Uint8Array.of(1, 2, 3), Uint8Array.of(), Uint8Array.of(4)];
      const head = driver.submit({ readable, writable: [2, 0, 5], isIndirect });
      const chain = readChain(head);
      expect(bytesOf(chain)).toEqual(Uint8Array.of(1, 2, 3, 4));
      expect(chain.writableLength).toBe(7);
      expect(writeParts(chain, [Uint8Array.of(9, 8, 7), Uint8Array.of(6)])).toBe(4);
      driver.parts.used[4] = head;
      new DataView(region.bytes.buffer, region.bytes.byteOffset).setUint32(
        driver.offsets.used + 8,
        4,
        true,
      );
      driver.parts.used[2] = 1;
      expect(driver.completed()).toMatchObject([{ bytes: Uint8Array.of(9, 8, 7, 6) }]);
    },
  );

  it("takes as many descriptors as the queue has", () => {
    const { driver, readChain } = sample();
    set(
      driver,
      Array.from({ length: SIZE }, (_, i) => ({ flags: i < 7 ? NEXT : 0, next: i + 1 })),
    );
    expect(readChain(0).readableLength).toBe(SIZE * 16);
  });

  it("takes a table behind other descriptors", () => {
    const { driver, region, readChain } = sample();
    region.bytes.set(Uint8Array.of(0, 0x20, 0x10, 0, 0, 0, 0, 0, 5, 0, 0, 0, WRITE, 0, 0, 0), 4096);
    set(driver, [
      { flags: NEXT, next: 1 },
      { flags: INDIRECT, length: 16 },
    ]);
    expect(readChain(0)).toMatchObject({ readableLength: 16, writableLength: 5 });
  });

  it.each<[string, Partial<Descriptor>[], string]>([
    ["a loop of one", [{ flags: NEXT, next: 0 }], "more than 8 descriptors"],
    [
      "a loop of two",
      [
        { flags: NEXT, next: 1 },
        { flags: NEXT, next: 0 },
      ],
      "more than 8",
    ],
    ["a next one that there is not", [{ flags: NEXT, next: 8 }], "descriptor 8 of 8"],
    ["an address in no region", [{ address: BASE - 1 }], "in no region"],
    ["an end in no region", [{ address: BASE + 65530 }], "in no region"],
    ["an address that is not exact", [{ address: 2 ** 53 }], "an address above 2^53"],
    ["the longest length", [{ length: 2 ** 32 - 1 }], `more than ${MAX_REQUEST_LENGTH} bytes`],
    [
      "too much room",
      [{ flags: WRITE, length: MAX_REPLY_ROOM + 1 }],
      `more than ${MAX_REPLY_ROOM} bytes`,
    ],
    ["room before a request", [{ flags: WRITE | NEXT, next: 1 }, {}], "behind something to write"],
    ["a table with a next", [{ flags: INDIRECT | NEXT, next: 1 }, {}], "has a next one"],
    ["an empty table", [{ flags: INDIRECT, length: 0 }], "a table of 0 bytes"],
    ["a table that is cut", [{ flags: INDIRECT, length: 17 }], "a table of 17 bytes"],
    [
      "a table that is too long",
      [{ flags: INDIRECT, length: 16 * 1025 }],
      "a table of 16400 bytes",
    ],
    ["a table in no region", [{ flags: INDIRECT, address: 0 }], "in no region"],
  ])("refuses %s", (_, descriptors, message) => {
    const { driver, readChain } = sample();
    set(driver, descriptors);
    expect(() => readChain(0)).toThrow(message);
    expect(() => readChain(0)).toThrow(VirtiofsError);
  });

  it("refuses a table within a table, and a loop within one", () => {
    const { driver, region, readChain } = sample();
    set(driver, [{ flags: INDIRECT, length: 16 }]);
    region.bytes.set(Uint8Array.of(0, 0x10, 0x10, 0, 0, 0, 0, 0, 16, 0, 0, 0, INDIRECT), 4096);
    expect(() => readChain(0)).toThrow("a table within a table");
    region.bytes.set(Uint8Array.of(NEXT, 0, 0), 4096 + 12);
    expect(() => readChain(0)).toThrow("more than 1 descriptors");
  });

  it("gives back what any chain of a driver says", () => {
    const buffers = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 4 });
    const rooms = fc.array(fc.nat(9000), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(buffers, rooms, fc.boolean(), (readable, writable, isIndirect) => {
        const { driver, readChain } = sample();
        const chain = readChain(driver.submit({ readable, writable, isIndirect }));
        expect(bytesOf(chain)).toEqual(Uint8Array.from(readable.flatMap((part) => [...part])));
        expect(chain.writableLength).toBe(writable.reduce((a, b) => a + b, 0));
      }),
      { seed: 8, numRuns: 300 },
    );
  });

  it("stays in the memory of the guest and comes to an end, whatever the descriptors are", () => {
    const address = fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: BASE - 16, max: BASE + 65552 }) },
      fc.constantFrom(0, 2 ** 32, 2 ** 53 - 1, 2 ** 63),
    );
    const length = fc.oneof(
      { weight: 5, arbitrary: fc.nat(200) },
      fc.constantFrom(2 ** 31, 2 ** 32 - 1),
    );
    const descriptor = fc.record({ address, length, flags: fc.nat(7), next: fc.nat(9) });
    const table = fc.array(descriptor, { minLength: SIZE, maxLength: SIZE });
    let good = 0;
    fc.assert(
      fc.property(table, table, fc.nat(SIZE - 1), (ring, inMemory, head) => {
        const { driver, region, readChain } = sample();
        // The same kind of descriptors everywhere: a table may be anywhere.
        const other = { memory: region.bytes, guestAddress: BASE, end: 65536, size: SIZE };
        for (let start = 4096; start < 65536; start += 128) {
          set(new GuestDriver({ ...other, start: Math.min(start, 64000) }), inMemory);
        }
        set(driver, ring);
        try {
          const chain = readChain(head);
          const room = chain.writable.reduce((sum, slice) => sum + slice.length, 0);
          expect(room).toBe(chain.writableLength);
          writeParts(chain, [new Uint8Array(room).fill(7)]);
          bytesOf(chain);
          good += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(VirtiofsError);
        }
        expect(region.isGuardIntact).toBe(true);
      }),
      { seed: 21, numRuns: 400 },
    );
    expect(good).toBeGreaterThan(20);
  });
});

describe("writeParts()", () => {
  it("fills the room across its pieces and leaves out the rest", () => {
    const writable = [new Uint8Array(3), new Uint8Array(4)];
    const chain = { readable: [], readableLength: 0, writable, writableLength: 7 };
    const parts = [Uint8Array.of(1, 2, 3, 4, 5), new Uint8Array(0), Uint8Array.of(6, 7, 8, 9)];
    expect(writeParts(chain, parts)).toBe(7);
    expect(writable).toEqual([Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5, 6, 7)]);
    expect(writeParts({ ...chain, writable: [] }, parts)).toBe(0);
  });
});
