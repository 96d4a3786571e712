import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GuestDriver } from "../testing/guest-driver.js";
import { SplitRing } from "./split-ring.js";
import { VirtiofsError } from "./virtiofs-error.js";

function sample(size = 4, usesEventIndex = true): { driver: GuestDriver; ring: SplitRing } {
  const memory = new Uint8Array(65536);
  const driver = new GuestDriver({ memory, guestAddress: 0, start: 4096, end: 65536, size });
  const ring = new SplitRing(driver.parts, { size, base: 0, usesEventIndex });
  return { driver, ring };
}

const REQUEST = { readable: [Uint8Array.of(1)], writable: [8] };

describe("SplitRing.take()", () => {
  it("takes requests in their order", () => {
    const { driver, ring } = sample();
    const heads = [driver.submit({ readable: [], writable: [1] }), driver.submit(REQUEST)];
    expect([ring.take(), ring.take(), ring.take()]).toEqual([...heads, undefined]);
    expect(ring.base).toBe(2);
  });

  it("refuses a head that there is not", () => {
    const { driver, ring } = sample();
    driver.offer(4);
    expect(() => ring.take()).toThrow("no 4");
  });

  it("refuses more requests than descriptors", () => {
    const { driver, ring } = sample();
    driver.setAvailable(5);
    expect(() => ring.take()).toThrow("5 requests at once");
  });

  it("counts requests that are not given back", () => {
    const { driver, ring } = sample();
    driver.setAvailable(4);
    for (let i = 0; i < 4; i += 1) ring.take();
    driver.setAvailable(5);
    expect(() => ring.take()).toThrow("5 requests at once");
    ring.give(0, 0);
    expect(ring.take()).toBe(0);
  });

  it("refuses an index that goes back", () => {
    const { driver, ring } = sample();
    driver.submit(REQUEST);
    ring.take();
    driver.setAvailable(0);
    expect(() => ring.take()).toThrow(VirtiofsError);
  });
});

describe("SplitRing.give()", () => {
  it("goes around as often as one likes", () => {
    const { driver, ring } = sample(2);
    for (let round = 0; round < 70_000; round += 1) {
      const head = driver.submit({ readable: [], writable: [1] });
      expect(ring.take()).toBe(head);
      ring.give(head, 1);
      if (driver.completed()[0]?.head !== head) throw new Error(`round ${round}`);
    }
    expect(ring.base).toBe(70_000 % 65536);
  });

  it("goes on where the ring was left", () => {
    const { driver, ring } = sample();
    for (let i = 0; i < 3; i += 1) {
      driver.submit(REQUEST);
      ring.give(ring.take() ?? -1, i);
      driver.completed();
    }
    const next = new SplitRing(driver.parts, { size: 4, base: ring.base, usesEventIndex: true });
    const head = driver.submit(REQUEST);
    expect(next.take()).toBe(head);
    next.give(head, 7);
    expect(driver.completed()).toMatchObject([{ head, length: 7 }]);
  });

  it("goes on in other memory", () => {
    const { driver, ring } = sample();
    const copy = new Uint8Array(65536);
    const other = new GuestDriver({
      memory: copy,
      guestAddress: 0,
      start: 4096,
      end: 65536,
      size: 4,
    });
    driver.submit(REQUEST);
    const head = ring.take() ?? -1;
    ring.moveTo(other.parts);
    ring.give(head, 3);
    expect(driver.completed()).toEqual([]);
    expect(new DataView(copy.buffer).getUint16(other.offsets.used + 2, true)).toBe(1);
  });
});

describe("SplitRing.mustNotify()", () => {
  it("says so the first time, and never without something new", () => {
    const { driver, ring } = sample();
    driver.callEvent = 1000;
    driver.submit(REQUEST);
    ring.give(ring.take() ?? -1, 0);
    expect(ring.mustNotify()).toBe(true);
    expect(ring.mustNotify()).toBe(false);
  });

  it.each([
    // After two more answers (numbers 1 and 2), the guest waits for the one with the number given.
    [0, false],
    [1, true],
    [2, true],
    [3, false],
    [65535, false],
  ])("waits for answer %i: %s", (callEvent, expected) => {
    const { driver, ring } = sample(8);
    for (let i = 0; i < 3; i += 1) {
      driver.submit({ readable: [], writable: [1] });
      ring.give(ring.take() ?? -1, 0);
      if (i === 0) ring.mustNotify();
    }
    driver.callEvent = callEvent;
    expect(ring.mustNotify()).toBe(expected);
  });

  it.each([true, false])("heeds the flag of the guest without event index: %s", (noCalls) => {
    const { driver, ring } = sample(4, false);
    driver.noCalls = noCalls;
    driver.submit(REQUEST);
    ring.give(ring.take() ?? -1, 0);
    expect(ring.mustNotify()).toBe(!noCalls);
  });
});

describe("SplitRing.awaitKick()", () => {
  it("asks to be woken for the next request", () => {
    const { driver, ring } = sample();
    driver.submit(REQUEST);
    ring.take();
    expect(ring.awaitKick()).toBe(false);
    expect(driver.kickEvent).toBe(1);
  });

  it.each([true, false])("sees what came meanwhile, with event index %s", (usesEventIndex) => {
    const { driver, ring } = sample(4, usesEventIndex);
    driver.submit(REQUEST);
    expect(ring.awaitKick()).toBe(true);
  });
});

describe("SplitRing", () => {
  it("never leaves its memory, whatever the guest writes", () => {
    const bytes = fc.uint8Array({ minLength: 300, maxLength: 300 });
    fc.assert(
      fc.property(bytes, fc.nat(65535), fc.boolean(), (content, base, usesEventIndex) => {
        const { driver } = sample(8);
        const { parts } = driver;
        parts.descriptors.set(content.subarray(0, 128));
        parts.available.set(content.subarray(128, 150));
        parts.used.set(content.subarray(150, 220));
        const ring = new SplitRing(parts, { size: 8, base, usesEventIndex });
        let taken = 0;
        try {
          for (let head = ring.take(); head !== undefined; head = ring.take()) {
            taken += 1;
            expect(head).toBeLessThan(8);
          }
        } catch (error) {
          expect(error).toMatchObject({ code: "PROTOCOL", reason: "ring" });
        }
        expect(taken).toBeLessThanOrEqual(8);
        for (let i = 0; i < taken; i += 1) ring.give(i, i);
        ring.mustNotify();
        ring.awaitKick();
      }),
      { seed: 3, numRuns: 2000 },
    );
  });
});
