import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PlainRegion, USER_OFFSET } from "../testing/plain-region.js";
import { GuestMemory, SharedRegion } from "./guest-memory.js";
import { VirtiofsError } from "./virtiofs-error.js";

const STEP = 8192;

/** Two regions that touch, and one far away; windows begin every 8 KiB. */
function sample(): { memory: GuestMemory; regions: PlainRegion[] } {
  const regions = [
    new PlainRegion(0, 20480, STEP),
    new PlainRegion(20480, 4096, STEP),
    new PlainRegion(2 ** 40, 12288, STEP),
  ];
  for (const region of regions) {
    region.bytes.forEach((_, i) => {
      region.bytes[i] = (region.guestAddress + i) % 251;
    });
  }
  return {
    memory: new GuestMemory(
      regions.map((region) => new SharedRegion(region)),
      STEP,
    ),
    regions,
  };
}

function read(memory: GuestMemory, address: number, length: number): Uint8Array {
  const slices: Uint8Array[] = [];
  memory.addSlices(slices, address, length);
  return Uint8Array.from(slices.flatMap((slice) => [...slice]));
}

describe("GuestMemory.addSlices()", () => {
  it.each([
    ["within a window", 100, 50],
    ["across windows", 8000, 1000],
    ["a whole region", 0, 20480],
    ["across regions that touch", 20000, 4000],
    ["the last byte", 24575, 1],
    ["high up", 2 ** 40 + 8191, 4097],
  ])("finds bytes %s", (_, address, length) => {
    const { memory } = sample();
    const expected = Uint8Array.from({ length }, (_unused, i) => (address + i) % 251);
    expect(read(memory, address, length)).toEqual(expected);
  });

  it("finds nothing for no bytes, wherever", () => {
    expect(read(sample().memory, 2 ** 50, 0)).toEqual(new Uint8Array(0));
  });

  it.each([
    ["behind a region", 24576, 1],
    ["across its end", 24575, 2],
    ["between regions", 2 ** 30, 16],
    ["before a region", 2 ** 40 - 1, 2],
    ["with the longest length", 0, 2 ** 32 - 1],
    ["at the highest address", 2 ** 53 - 1, 2 ** 32 - 1],
  ])("refuses bytes %s", (_, address, length) => {
    expect(() => read(sample().memory, address, length)).toThrow(VirtiofsError);
  });

  it("agrees with a plain look into the regions", () => {
    const { memory } = sample();
    const addresses = fc.oneof(
      fc.nat(26000),
      fc.integer({ min: 2 ** 40 - 100, max: 2 ** 40 + 13000 }),
    );
    fc.assert(
      fc.property(addresses, fc.nat(9000), (address, length) => {
        const end = address + length;
        const isInside =
          length === 0 || end <= 24576 || (address >= 2 ** 40 && end <= 2 ** 40 + 12288);
        if (!isInside) expect(() => read(memory, address, length)).toThrow(VirtiofsError);
        else expect(read(memory, address, length)).toHaveLength(length);
      }),
      { seed: 5, numRuns: 500 },
    );
  });
});

describe("GuestMemory.ringPart()", () => {
  it("finds a part by the address of the front-end, in one piece", () => {
    const { memory, regions } = sample();
    const part = memory.ringPart(USER_OFFSET + 8180n, 60);
    expect(part).toEqual(regions[0]?.bytes.subarray(8180, 8240));
    part[0] = 255;
    expect(regions[0]?.bytes[8180]).toBe(255);
  });

  it.each([
    ["in no region", 0n, 16],
    ["across the end of a region", USER_OFFSET + 20470n, 16],
    ["that is longer than windows overlap", USER_OFFSET + 8000n, 1000],
    ["at the end of all addresses", 2n ** 64n - 16n, 16],
  ])("refuses a part %s", (_, address, length) => {
    expect(() => sample().memory.ringPart(address, length)).toThrow(VirtiofsError);
  });
});

describe("GuestMemory", () => {
  it.each([
    ["the same", 4096, 4096],
    ["the begin of another", 0, 4097],
    ["the end of another", 8191, 4096],
  ])("refuses a region that overlaps %s", (_, address, size) => {
    const regions = [new PlainRegion(4096, 4096), new PlainRegion(address, size)];
    const shared = regions.map((region) => new SharedRegion(region));
    expect(() => new GuestMemory(shared)).toThrow("overlap");
  });

  it("takes regions away with their last user", () => {
    const kept = new PlainRegion(0, 4096);
    const gone = new PlainRegion(8192, 4096);
    const shared = [new SharedRegion(kept), new SharedRegion(gone)];
    const before = new GuestMemory(shared);
    before.hold();
    const after = new GuestMemory(shared.slice(0, 1));
    before.release();
    expect([kept.unmapped, gone.unmapped]).toEqual([0, 0]);
    before.release();
    expect([kept.unmapped, gone.unmapped]).toEqual([0, 1]);
    after.release();
    expect([kept.unmapped, gone.unmapped]).toEqual([1, 1]);
  });
});
