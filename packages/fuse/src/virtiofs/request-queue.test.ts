import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ChannelRequest } from "../channel/channel.js";
import { GuestDriver } from "../testing/guest-driver.js";
import { PlainRegion } from "../testing/plain-region.js";
import { GuestMemory, SharedRegion } from "./guest-memory.js";
import { RequestQueue } from "./request-queue.js";
import { VirtiofsError } from "./virtiofs-error.js";

const BASE = 0x10_0000;

interface Taken {
  readonly bytes: Uint8Array;
  readonly request: ChannelRequest;
}

/** A queue with what it told others. */
class Sample {
  readonly region: PlainRegion = new PlainRegion(BASE, 2 ** 20);
  readonly memory: GuestMemory = new GuestMemory([new SharedRegion(this.region)]);
  readonly driver: GuestDriver;
  readonly queue: RequestQueue;
  readonly taken: Taken[] = [];
  readonly problems: unknown[] = [];
  readonly tasks: (() => void)[] = [];
  calls = 0;
  onRequest: (taken: Taken) => void = () => undefined;

  constructor(size = 8) {
    const options = { guestAddress: BASE, start: 0, end: 2 ** 20, size };
    this.driver = new GuestDriver({ memory: this.region.bytes, ...options });
    this.queue = new RequestQueue({
      size,
      base: 0,
      usesEventIndex: true,
      memory: this.memory,
      parts: this.driver.parts,
      handler: (request) => {
        const taken = { bytes: Uint8Array.from(request.bytes), request };
        this.taken.push(taken);
        this.onRequest(taken);
      },
      notify: () => {
        this.calls += 1;
      },
      onBroken: (error) => this.problems.push(error),
      later: (task) => this.tasks.push(task),
    });
  }

  submit(...bytes: number[]): number {
    return this.driver.submit({ readable: [Uint8Array.from(bytes)], writable: [16] });
  }
}

describe("RequestQueue.process()", () => {
  it("hands out requests and gives back answers, in any order, with their lengths", () => {
    const sample = new Sample();
    const heads = [sample.submit(1), sample.submit(2, 3)];
    sample.queue.process();
    expect(sample.taken.map(({ bytes }) => bytes)).toEqual([Uint8Array.of(1), Uint8Array.of(2, 3)]);
    expect(sample.taken[0]?.request.replyCapacity).toBe(16);
    expect(sample.calls).toBe(0);
    sample.taken[1]?.request.reply([Uint8Array.of(7), Uint8Array.of(8, 9)]);
    sample.taken[0]?.request.reply([]);
    expect(sample.driver.completed()).toEqual([
      { head: heads[1], length: 3, bytes: Uint8Array.of(7, 8, 9) },
      { head: heads[0], length: 0, bytes: new Uint8Array(0) },
    ]);
    expect(sample.calls).toBe(1);
  });

  it("wakes the guest once for all that is answered at once", () => {
    const sample = new Sample();
    sample.onRequest = ({ request }) => request.reply([Uint8Array.of(1)]);
    for (let i = 0; i < 4; i += 1) sample.submit(i);
    sample.queue.process();
    expect(sample.driver.completed()).toHaveLength(4);
    expect(sample.calls).toBe(1);
    expect(sample.driver.kickEvent).toBe(4);
  });

  it("lets others have their turn after a ring full", () => {
    const sample = new Sample(4);
    sample.onRequest = ({ request }) => {
      request.reply([]);
      sample.driver.completed();
      // A guest that never stops.
      sample.submit(1);
    };
    sample.submit(1);
    sample.queue.process();
    expect(sample.taken).toHaveLength(4);
    expect(sample.tasks).toHaveLength(1);
    sample.tasks.shift()?.();
    expect(sample.taken).toHaveLength(8);
  });

  it("copies a request before it is looked at", () => {
    const sample = new Sample();
    sample.submit(1, 2, 3);
    let bytes: Uint8Array | undefined;
    sample.onRequest = ({ request }) => {
      sample.region.bytes.fill(0xff, 4096);
      bytes = Uint8Array.from(request.bytes);
    };
    sample.queue.process();
    expect(bytes).toEqual(Uint8Array.of(1, 2, 3));
  });

  it("takes long requests", () => {
    const sample = new Sample();
    const long = Uint8Array.from({ length: 70_000 }, (_, i) => i % 256);
    sample.driver.submit({ readable: [long.subarray(0, 10), long.subarray(10)], writable: [1] });
    sample.queue.process();
    expect(Buffer.compare(sample.taken[0]?.bytes ?? new Uint8Array(0), long)).toBe(0);
  });

  it("stops when the guest breaks a rule, and still answers what it took", () => {
    const sample = new Sample();
    const head = sample.submit(1);
    sample.driver.offer(999);
    sample.queue.process();
    expect(sample.problems).toEqual([expect.any(VirtiofsError)]);
    sample.submit(2);
    sample.queue.process();
    expect(sample.taken).toHaveLength(1);
    sample.taken[0]?.request.reply([Uint8Array.of(1)]);
    expect(sample.driver.completed()).toMatchObject([{ head, length: 1 }]);
  });

  it("takes nothing while it is paused", () => {
    const sample = new Sample();
    sample.queue.isPaused = true;
    sample.submit(1);
    sample.queue.process();
    expect(sample.taken).toEqual([]);
    sample.queue.isPaused = false;
    sample.queue.process();
    expect(sample.taken).toHaveLength(1);
  });
});

describe("ChannelRequest.reply()", () => {
  it("gives an answer once", () => {
    const sample = new Sample();
    sample.submit(1);
    sample.queue.process();
    sample.taken[0]?.request.reply([Uint8Array.of(1)]);
    sample.taken[0]?.request.reply([Uint8Array.of(2)]);
    expect(sample.driver.completed()).toMatchObject([{ bytes: Uint8Array.of(1) }]);
  });

  it("gives no part of an answer for which there is no room, and stops the queue", () => {
    const sample = new Sample();
    sample.submit(1);
    sample.queue.process();
    sample.taken[0]?.request.reply([new Uint8Array(17)]);
    expect(sample.problems).toEqual([
      new RangeError("Cannot answer with 17 bytes: there is room for 16"),
    ]);
    expect(sample.driver.completed()).toEqual([]);
  });
});

describe("RequestQueue.stop()", () => {
  it("ends when all is answered, and lets go of the memory", async () => {
    const sample = new Sample();
    sample.memory.release();
    sample.submit(1);
    sample.queue.process();
    let isDone = false;
    const stopped = sample.queue.stop().then(() => {
      isDone = true;
    });
    sample.submit(2);
    sample.queue.process();
    await Promise.resolve();
    expect(isDone).toBe(false);
    expect(sample.region.unmapped).toBe(0);
    sample.taken[0]?.request.reply([Uint8Array.of(1)]);
    await stopped;
    expect(sample.driver.completed()).toHaveLength(1);
    expect(sample.taken).toHaveLength(1);
    expect(sample.queue.base).toBe(1);
    expect(sample.region.unmapped).toBe(1);
  });

  it("ends at once when nothing is under way, and when it has ended before", async () => {
    const sample = new Sample();
    await sample.queue.stop();
    await sample.queue.stop();
    sample.memory.release();
    expect(sample.region.unmapped).toBe(1);
  });

  it("ends when the last answer comes while requests are taken", async () => {
    const sample = new Sample();
    let stopped: Promise<void> | undefined;
    sample.onRequest = ({ request }) => {
      stopped = sample.queue.stop();
      request.reply([]);
    };
    sample.submit(1);
    sample.submit(2);
    sample.queue.process();
    await stopped;
    expect(sample.taken).toHaveLength(1);
    expect(sample.driver.completed()).toHaveLength(1);
  });
});

describe("RequestQueue.drop()", () => {
  it("gives up the memory at once, and writes no late answer into it", async () => {
    const sample = new Sample();
    sample.memory.release();
    sample.submit(1);
    sample.queue.process();
    const stopped = sample.queue.stop();
    sample.queue.drop();
    await stopped;
    expect(sample.region.unmapped).toBe(1);
    const before = Uint8Array.from(sample.region.bytes);
    sample.taken[0]?.request.reply([Uint8Array.of(1)]);
    expect(Buffer.compare(sample.region.bytes, before)).toBe(0);
    expect(sample.region.unmapped).toBe(1);
    expect(sample.calls).toBe(0);
  });

  it("may come while a request is handed out", () => {
    const sample = new Sample();
    sample.memory.release();
    sample.onRequest = ({ request }) => {
      sample.queue.drop();
      sample.region.bytes.fill(0xee);
      request.reply([Uint8Array.of(1)]);
    };
    sample.submit(1);
    sample.submit(2);
    sample.queue.process();
    expect(sample.taken).toHaveLength(1);
    expect(sample.region.bytes.every((byte) => byte === 0xee)).toBe(true);
  });
});

describe("RequestQueue.moveTo()", () => {
  it("answers in the memory that a request came from, and tells in the new one", () => {
    const sample = new Sample();
    sample.memory.release();
    const head = sample.submit(1);
    sample.queue.process();
    // The same file, mapped again at another place: here, a copy shows what is written where.
    const other = new PlainRegion(BASE, 2 ** 20);
    other.bytes.set(sample.region.bytes);
    const driver = new GuestDriver({
      memory: other.bytes,
      guestAddress: BASE,
      start: 0,
      end: 2 ** 20,
      size: 8,
    });
    const memory = new GuestMemory([new SharedRegion(other)]);
    sample.queue.moveTo(memory, driver.parts);
    expect(sample.region.unmapped).toBe(0);
    sample.taken[0]?.request.reply([Uint8Array.of(5)]);
    expect(sample.region.unmapped).toBe(1);
    expect(sample.driver.completed()).toEqual([]);
    expect(
      new DataView(driver.parts.used.buffer, driver.parts.used.byteOffset).getUint32(4, true),
    ).toBe(head);
  });
});

describe("RequestQueue", () => {
  it("survives a guest that writes anything anywhere at any time", () => {
    const write = fc.tuple(fc.nat(1200), fc.uint8Array({ minLength: 1, maxLength: 24 }));
    const step = fc.record({
      writes: fc.array(write, { maxLength: 3 }),
      advance: fc.nat(3),
      answers: fc.array(fc.nat(20), { maxLength: 3 }),
    });
    const outcomes = { good: 0, broken: 0 };
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 12 }), (steps) => {
        const sample = new Sample(4);
        // Requests that are in order, to begin with.
        for (let i = 0; i < 2; i += 1) sample.submit(i);
        let available = 2;
        for (const { writes, advance, answers } of steps) {
          for (const [at, bytes] of writes) sample.region.bytes.set(bytes, at);
          available += advance;
          sample.driver.setAvailable(available);
          sample.queue.process();
          for (const index of answers) {
            const taken = sample.taken[index];
            const room = Math.min(taken?.request.replyCapacity ?? 0, 64);
            taken?.request.reply([new Uint8Array(room).fill(3)]);
          }
          for (const task of sample.tasks.splice(0)) task();
        }
        for (const problem of sample.problems) expect(problem).toBeInstanceOf(VirtiofsError);
        expect(sample.problems.length).toBeLessThanOrEqual(1);
        expect(sample.region.isGuardIntact).toBe(true);
        sample.queue.drop();
        sample.memory.release();
        expect(sample.region.unmapped).toBe(1);
        if (sample.problems.length > 0) outcomes.broken += 1;
        if (sample.taken.length > 0) outcomes.good += 1;
      }),
      { seed: 77, numRuns: 400 },
    );
    expect(outcomes.good).toBeGreaterThan(50);
    expect(outcomes.broken).toBeGreaterThan(50);
  });
});
