import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { ChannelRequest } from "../channel/channel.js";
import { FakeDeviceHost } from "../testing/fake-device-host.js";
import {
  addresses,
  type FrontendMessage,
  type FrontendRegion,
  memorySlot,
  memoryTable,
  number,
  plain,
  state,
} from "../testing/frontend-messages.js";
import { GuestDriver } from "../testing/guest-driver.js";
import { DRAIN_TIMEOUT_MS } from "./device-queue.js";
import { VhostUserDevice } from "./vhost-user-device.js";
import { OFFERED_FEATURES, OFFERED_PROTOCOL_FEATURES, REQUEST } from "./vhost-user-protocol.js";
import { VirtiofsError } from "./virtiofs-error.js";

const USER = 0x7f00_0000_0000n;
const REGION: FrontendRegion = {
  guestAddress: 0,
  size: 2 ** 20,
  userAddress: USER,
  fileOffset: 4096,
};
const SIZE = 16;

interface Reply {
  readonly number: bigint;
  readonly words: readonly [number, number];
}

/** A device and its front-end. */
class Sample {
  readonly host: FakeDeviceHost = new FakeDeviceHost();
  readonly problems: unknown[] = [];
  readonly requests: ChannelRequest[] = [];
  readonly device: VhostUserDevice;
  onRequest: (request: ChannelRequest) => void = () => undefined;

  constructor() {
    this.device = new VhostUserDevice({
      host: this.host,
      handler: (request) => {
        this.requests.push(request);
        this.onRequest(request);
      },
      onProblem: (error) => this.problems.push(error),
    });
  }

  /** Sends a message and returns what answers it. */
  async send(
    message: FrontendMessage,
    files: readonly number[] = [],
    needsReply = false,
  ): Promise<Reply | undefined> {
    const { request, payload } = message;
    const header = { request, needsReply, payloadLength: payload.length };
    const answer = await this.device.handle(header, payload, files);
    if (answer === undefined) return undefined;
    const view = new DataView(answer.buffer);
    expect(view.getUint32(0, true)).toBe(request);
    expect(view.getUint32(8, true)).toBe(8);
    return {
      number: view.getBigUint64(12, true),
      words: [view.getUint32(12, true), view.getUint32(16, true)],
    };
  }

  async negotiate(): Promise<void> {
    await this.send(number(REQUEST.SET_PROTOCOL_FEATURES, OFFERED_PROTOCOL_FEATURES));
    await this.send(number(REQUEST.SET_FEATURES, OFFERED_FEATURES));
    await this.send(memoryTable([REGION]), [this.host.newFile()]);
  }

  /** Sets up a queue at a place in the memory, with all but what enables it. */
  async setUp(queue: number, start: number, base = 0): Promise<QueueUnderTest> {
    const region = this.host.regions.at(-1);
    if (region === undefined) throw new Error("no memory");
    const memory = region.bytes;
    const options = { memory, guestAddress: 0, start, end: start + 65536, size: SIZE };
    const driver = new GuestDriver(options);
    const { descriptors, used, available } = driver.offsets;
    const [kick, call] = [this.host.newFile(), this.host.newFile()];
    await this.send(state(REQUEST.SET_VRING_NUM, queue, SIZE));
    await this.send(state(REQUEST.SET_VRING_BASE, queue, base));
    await this.send(
      addresses(queue, {
        descriptors: USER + BigInt(descriptors),
        used: USER + BigInt(used),
        available: USER + BigInt(available),
      }),
    );
    await this.send(number(REQUEST.SET_VRING_KICK, queue), [kick]);
    await this.send(number(REQUEST.SET_VRING_CALL, queue), [call]);
    return { driver, kick, call };
  }

  async start(queue: number, start: number): Promise<QueueUnderTest> {
    const parts = await this.setUp(queue, start);
    await this.send(state(REQUEST.SET_VRING_ENABLE, queue, 1));
    return parts;
  }
}

interface QueueUnderTest {
  readonly driver: GuestDriver;
  readonly kick: number;
  readonly call: number;
}

const ASK = { readable: [Uint8Array.of(1, 2)], writable: [4] };

afterEach(() => {
  vi.useRealTimers();
});

describe("VhostUserDevice.handle()", () => {
  it.each([
    ["features", REQUEST.GET_FEATURES, 0x1_7000_0000n],
    ["features of the protocol", REQUEST.GET_PROTOCOL_FEATURES, 0x8009n],
    ["how many queues", REQUEST.GET_QUEUE_NUM, 17n],
    ["how many regions", REQUEST.GET_MAX_MEM_SLOTS, 64n],
  ])("tells %s", async (_, request, expected) => {
    expect((await new Sample().send(plain(request)))?.number).toBe(expected);
  });

  it.each([
    ["logging", number(REQUEST.SET_FEATURES, 1n << 26n), "features 0x4000000"],
    ["other features", number(REQUEST.SET_PROTOCOL_FEATURES, 2), "features 0x2"],
    ["a log", { request: 6, payload: new Uint8Array(16) }, "request 6: it was not offered"],
    ["a queue that there is not", state(REQUEST.SET_VRING_NUM, 17, 8), "queue 17 of 17"],
    ["a queue of no power of two", state(REQUEST.SET_VRING_NUM, 0, 9), "9 descriptors"],
    ["an empty queue", state(REQUEST.SET_VRING_NUM, 0, 0), "0 descriptors"],
    ["a queue that is too long", state(REQUEST.SET_VRING_NUM, 0, 65536), "65536 descriptors"],
    ["a base that there is not", state(REQUEST.SET_VRING_BASE, 0, 65536), "base 65536"],
    [
      "a ring that is not aligned",
      addresses(0, { descriptors: 8n, used: 0n, available: 0n }),
      "not aligned",
    ],
    [
      "logging of a ring",
      addresses(0, { descriptors: 0n, used: 0n, available: 0n }, 1),
      "logging of writes",
    ],
    ["a queue without kicks", number(REQUEST.SET_VRING_KICK, 0x100), "a queue without kicks"],
    ["a kick without its file", number(REQUEST.SET_VRING_KICK, 0), "a file is missing"],
    ["memory without its file", memoryTable([REGION]), "a file is missing"],
    [
      "a region that is not there",
      memorySlot(REQUEST.REM_MEM_REG, REGION),
      "there is no such region",
    ],
  ])("refuses %s, with or without an answer", async (_, message, what) => {
    const silent = new Sample();
    await expect(silent.send(message)).rejects.toThrow(what);
    await expect(silent.send(message)).rejects.toBeInstanceOf(VirtiofsError);
    const sample = new Sample();
    await sample.send(number(REQUEST.SET_PROTOCOL_FEATURES, OFFERED_PROTOCOL_FEATURES));
    expect((await sample.send(message, [], true))?.number).toBe(1n);
    expect(String(sample.problems)).toContain(what);
  });

  it.each<[string, Partial<FrontendRegion>, string]>([
    ["is empty", { size: 0 }, "it is empty"],
    ["begins within a page of the guest", { guestAddress: 1 }, "begins within a page"],
    ["begins within a page of its file", { fileOffset: 100 }, "begins within a page"],
    ["ends behind all numbers", { guestAddress: 2n ** 63n }, "it is too long"],
    ["is too long for numbers", { size: 2n ** 60n }, "it is too long"],
    ["ends behind all addresses", { userAddress: 2n ** 64n - 4096n }, "it is too long"],
    ["cannot be mapped", { size: 2 ** 30 }, "Cannot map"],
  ])("refuses a region that %s, and closes its file", async (_, change, what) => {
    const sample = new Sample();
    const sent = sample.send(memoryTable([{ ...REGION, ...change }]), [sample.host.newFile()]);
    await expect(sent).rejects.toThrow(what);
    expect(sample.host.open.size).toBe(0);
  });

  it("unmaps what it mapped when one of several regions is refused", async () => {
    const sample = new Sample();
    const files = [sample.host.newFile(), sample.host.newFile()];
    await expect(sample.send(memoryTable([REGION, REGION]), files)).rejects.toThrow("overlap");
    expect(sample.host.regions.map((region) => region.unmapped)).toEqual([1, 1]);
  });

  it("acknowledges only where that was agreed on", async () => {
    const sample = new Sample();
    const message = number(REQUEST.SET_FEATURES, OFFERED_FEATURES);
    expect(await sample.send(message, [], true)).toBeUndefined();
    await sample.send(number(REQUEST.SET_PROTOCOL_FEATURES, OFFERED_PROTOCOL_FEATURES));
    expect((await sample.send(message, [], true))?.number).toBe(0n);
    expect(await sample.send(message)).toBeUndefined();
  });

  it("closes files that nobody asked for", async () => {
    const sample = new Sample();
    await sample.send(plain(REQUEST.SET_OWNER), [sample.host.newFile()]);
    await sample.send(number(REQUEST.SET_VRING_ERR, 0x100), [sample.host.newFile()]);
    expect(sample.host.open.size).toBe(0);
  });
});

describe("VhostUserDevice", () => {
  it("serves several queues, each with its own kick and call", async () => {
    const sample = new Sample();
    await sample.negotiate();
    const queues = [
      await sample.start(0, 0),
      await sample.start(1, 65536),
      await sample.start(16, 131072),
    ];
    sample.onRequest = (request) => request.reply([Uint8Array.of(request.bytes.length)]);
    for (const { driver, kick, call } of queues) {
      driver.submit(ASK);
      sample.host.kick(kick);
      expect(driver.completed()).toMatchObject([{ bytes: Uint8Array.of(2) }]);
      expect(sample.host.raised.splice(0)).toEqual([call]);
    }
  });

  it("serves requests that came before the queue was enabled, and none while it is not", async () => {
    const sample = new Sample();
    await sample.negotiate();
    const { driver, kick } = await sample.setUp(1, 0);
    driver.submit(ASK);
    sample.host.kick(kick);
    expect(sample.requests).toHaveLength(0);
    await sample.send(state(REQUEST.SET_VRING_ENABLE, 1, 1));
    expect(sample.requests).toHaveLength(1);
    await sample.send(state(REQUEST.SET_VRING_ENABLE, 1, 0));
    driver.submit(ASK);
    sample.host.kick(kick);
    expect(sample.requests).toHaveLength(1);
    await sample.send(state(REQUEST.SET_VRING_ENABLE, 1, 1));
    expect(sample.requests).toHaveLength(2);
  });

  it("enables queues with their kick where SET_VRING_ENABLE is unknown", async () => {
    const sample = new Sample();
    await sample.send(number(REQUEST.SET_FEATURES, 1n << 32n));
    await sample.send(memoryTable([REGION]), [sample.host.newFile()]);
    const { driver, kick } = await sample.setUp(1, 0);
    driver.submit(ASK);
    sample.host.kick(kick);
    expect(sample.requests).toHaveLength(1);
  });

  it("refuses a ring outside of the memory, and other settings of a queue that runs", async () => {
    const sample = new Sample();
    await sample.negotiate();
    await sample.start(1, 0);
    await expect(sample.send(state(REQUEST.SET_VRING_NUM, 1, 8))).rejects.toThrow("while it runs");
    await expect(sample.send(state(REQUEST.SET_VRING_BASE, 1, 8))).rejects.toThrow("while it runs");
    const outside = { descriptors: 0n, used: 0n, available: 0n };
    await expect(sample.send(addresses(1, outside))).rejects.toThrow("while it runs");
    await sample.setUp(2, 65536);
    await sample.send(addresses(2, outside));
    await expect(sample.send(state(REQUEST.SET_VRING_ENABLE, 2, 1))).rejects.toThrow("no region");
  });

  it("tells of a queue that broke, wakes the front-end, and serves it again when it is set up anew", async () => {
    const sample = new Sample();
    await sample.negotiate();
    const { driver, kick } = await sample.start(1, 0);
    const errorFile = sample.host.newFile();
    await sample.send(number(REQUEST.SET_VRING_ERR, 1), [errorFile]);
    driver.offer(SIZE);
    sample.host.kick(kick);
    expect(sample.problems).toMatchObject([{ code: "PROTOCOL", reason: "ring" }]);
    expect(String(sample.problems)).toContain("Queue 1 stopped");
    expect(sample.host.raised).toEqual([errorFile]);
    await sample.send(state(REQUEST.GET_VRING_BASE, 1, 0));
    sample.host.regions[0]?.bytes.fill(0);
    const again = await sample.start(1, 0);
    again.driver.submit(ASK);
    sample.host.kick(again.kick);
    expect(sample.requests).toHaveLength(1);
  });
});

describe("GET_VRING_BASE", () => {
  it("waits for answers, then tells where the ring is, and takes nothing more", async () => {
    const sample = new Sample();
    await sample.negotiate();
    const { driver, kick } = await sample.start(1, 0);
    driver.submit(ASK);
    sample.host.kick(kick);
    const stopped = sample.send(state(REQUEST.GET_VRING_BASE, 1, 0));
    driver.submit(ASK);
    sample.host.kick(kick);
    sample.requests[0]?.reply([Uint8Array.of(1)]);
    expect((await stopped)?.words).toEqual([1, 1]);
    expect(driver.completed()).toHaveLength(1);
    expect(sample.requests).toHaveLength(1);
    expect(sample.host.open.has(kick)).toBe(false);
  });

  it("does not wait for ever, and drops answers that come later", async () => {
    vi.useFakeTimers();
    const sample = new Sample();
    await sample.negotiate();
    const { driver, kick } = await sample.start(1, 0);
    driver.submit(ASK);
    sample.host.kick(kick);
    const stopped = sample.send(state(REQUEST.GET_VRING_BASE, 1, 0));
    await vi.advanceTimersByTimeAsync(DRAIN_TIMEOUT_MS);
    expect((await stopped)?.words).toEqual([1, 1]);
    sample.requests[0]?.reply([Uint8Array.of(1)]);
    expect(driver.completed()).toEqual([]);
  });

  it("goes on from there", async () => {
    const sample = new Sample();
    await sample.negotiate();
    const { driver, kick } = await sample.start(1, 0);
    sample.onRequest = (request) => request.reply([]);
    driver.submit(ASK);
    sample.host.kick(kick);
    driver.submit(ASK);
    const reply = await sample.send(state(REQUEST.GET_VRING_BASE, 1, 0));
    expect(reply?.words[1]).toBe(1);
    await sample.send(state(REQUEST.SET_VRING_BASE, 1, 1));
    await sample.send(number(REQUEST.SET_VRING_KICK, 1), [sample.host.newFile()]);
    expect(sample.requests).toHaveLength(2);
    expect(driver.completed()).toHaveLength(2);
  });

  it("tells the base of a queue that never ran", async () => {
    const sample = new Sample();
    await sample.send(state(REQUEST.SET_VRING_BASE, 3, 77));
    expect((await sample.send(state(REQUEST.GET_VRING_BASE, 3, 0)))?.words).toEqual([3, 77]);
  });

  it("ends the wait when the connection ends", async () => {
    const sample = new Sample();
    await sample.negotiate();
    const { driver, kick } = await sample.start(1, 0);
    driver.submit(ASK);
    sample.host.kick(kick);
    const stopped = sample.send(state(REQUEST.GET_VRING_BASE, 1, 0));
    await Promise.resolve();
    sample.device.close();
    await stopped;
    expect(sample.host.regions[0]?.unmapped).toBe(1);
  });
});

describe("memory of the guest", () => {
  it("is added and removed while queues run", async () => {
    const sample = new Sample();
    await sample.negotiate();
    const { driver, kick } = await sample.start(1, 0);
    const more = { ...REGION, guestAddress: 2 ** 30, userAddress: USER + 2n ** 40n };
    await sample.send(memorySlot(REQUEST.ADD_MEM_REG, more), [sample.host.newFile()]);
    sample.onRequest = (request) => request.reply([Uint8Array.of(9)]);
    driver.setDescriptor(0, { address: 2 ** 30, length: 8, flags: 2, next: 0 });
    driver.offer(0);
    sample.host.kick(kick);
    expect(sample.host.regions[1]?.bytes[0]).toBe(9);
    // Some front-ends send the file when they take a region away, too.
    await sample.send(memorySlot(REQUEST.REM_MEM_REG, more), [sample.host.newFile()]);
    expect(sample.host.regions.map((region) => region.unmapped)).toEqual([0, 1]);
    driver.offer(0);
    sample.host.kick(kick);
    expect(String(sample.problems)).toContain("in no region");
  });

  it("is kept for requests that came from it, until they are answered", async () => {
    const sample = new Sample();
    await sample.negotiate();
    const { driver, kick } = await sample.start(1, 0);
    driver.submit(ASK);
    sample.host.kick(kick);
    await sample.send(memoryTable([REGION]), [sample.host.newFile()]);
    expect(sample.host.regions.map((region) => region.unmapped)).toEqual([0, 0]);
    sample.requests[0]?.reply([Uint8Array.of(1)]);
    expect(sample.host.regions.map((region) => region.unmapped)).toEqual([1, 0]);
    sample.device.close();
    expect(sample.host.regions.map((region) => region.unmapped)).toEqual([1, 1]);
  });

  it("stops queues that are not in it any more", async () => {
    const sample = new Sample();
    await sample.negotiate();
    const { driver, kick } = await sample.start(1, 0);
    const elsewhere = { ...REGION, guestAddress: 2 ** 30, userAddress: USER + 2n ** 40n };
    const moved = sample.send(memoryTable([elsewhere]), [sample.host.newFile()]);
    await expect(moved).rejects.toThrow("in no region");
    driver.submit(ASK);
    sample.host.kick(kick);
    expect(sample.requests).toHaveLength(0);
    expect(sample.host.regions.map((region) => region.unmapped)).toEqual([1, 0]);
  });

  it("has a limit of regions", async () => {
    const sample = new Sample();
    for (let i = 0; i < 64; i += 1) {
      const address = { guestAddress: i * 4096, userAddress: USER + BigInt(i * 4096) };
      const region = { ...REGION, ...address, size: 4096 };
      await sample.send(memorySlot(REQUEST.ADD_MEM_REG, region), [sample.host.newFile()]);
    }
    const last = { ...REGION, guestAddress: 2 ** 40, userAddress: USER + 2n ** 40n };
    const sent = sample.send(memorySlot(REQUEST.ADD_MEM_REG, last), [sample.host.newFile()]);
    await expect(sent).rejects.toThrow("more than 64 regions");
  });
});

describe("RESET_OWNER", () => {
  it("stops all queues", async () => {
    const sample = new Sample();
    await sample.negotiate();
    const { driver, kick } = await sample.start(1, 0);
    await sample.send(plain(REQUEST.RESET_OWNER));
    driver.submit(ASK);
    sample.host.kick(kick);
    expect(sample.requests).toHaveLength(0);
  });
});

describe("VhostUserDevice.close()", () => {
  it("closes all files and takes all memory away, whatever is under way", async () => {
    const sample = new Sample();
    await sample.negotiate();
    const { driver, kick } = await sample.start(1, 0);
    driver.submit(ASK);
    sample.host.kick(kick);
    sample.device.close();
    sample.device.close();
    expect(sample.host.open.size).toBe(0);
    expect(sample.host.regions[0]?.unmapped).toBe(1);
    sample.requests[0]?.reply([Uint8Array.of(1)]);
    expect(driver.completed()).toEqual([]);
  });

  it("leaves nothing behind, whatever was said in whatever order", async () => {
    const messages = fc.oneof(
      fc.constantFrom<FrontendMessage>(
        memoryTable([REGION]),
        memoryTable([{ ...REGION, size: 8192 }]),
        memorySlot(REQUEST.ADD_MEM_REG, { ...REGION, guestAddress: 2 ** 30, userAddress: 0n }),
        memorySlot(REQUEST.REM_MEM_REG, REGION),
        plain(REQUEST.RESET_OWNER),
        number(REQUEST.SET_FEATURES, OFFERED_FEATURES),
        number(REQUEST.SET_FEATURES, 1n << 32n),
        number(REQUEST.SET_PROTOCOL_FEATURES, OFFERED_PROTOCOL_FEATURES),
      ),
      fc
        .tuple(fc.constantFrom(8, 10, 11, 18), fc.nat(2), fc.constantFrom(0, 1, 8, 16))
        .map(([request, queue, value]) => state(request, queue, value)),
      fc
        .tuple(fc.constantFrom(12, 13, 14), fc.constantFrom(0, 1, 0x101))
        .map(([request, queue]) => number(request, queue)),
      fc.tuple(fc.nat(2), fc.constantFrom(0n, 4096n, 8192n, 2n ** 21n)).map(([queue, at]) => {
        const start = USER + at;
        return addresses(queue, {
          descriptors: start,
          used: start + 256n,
          available: start + 512n,
        });
      }),
      fc
        .tuple(fc.nat(40), fc.uint8Array({ maxLength: 48 }))
        .map(([request, payload]) => ({ request, payload })),
    );
    const step = fc.record({
      message: messages,
      files: fc.nat(2),
      needsReply: fc.boolean(),
      writes: fc.array(fc.tuple(fc.nat(8184), fc.uint8Array({ minLength: 1, maxLength: 8 }))),
    });
    const outcomes = { refused: 0, running: 0 };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
        const sample = new Sample();
        sample.onRequest = (request) => request.reply([new Uint8Array(request.replyCapacity % 64)]);
        await sample.negotiate();
        const { driver, kick } = await sample.start(1, 4096);
        driver.submit(ASK);
        const sent: number[] = [kick];
        for (const { message, files, needsReply, writes } of steps) {
          const given = Array.from({ length: files }, () => sample.host.newFile());
          sent.push(...given);
          const region = sample.host.regions.at(-1);
          if (region?.unmapped === 0) for (const [at, bytes] of writes) region.bytes.set(bytes, at);
          try {
            await sample.send(message, given, needsReply);
          } catch (error) {
            expect(error).toBeInstanceOf(VirtiofsError);
            outcomes.refused += 1;
          }
          for (const file of sent) sample.host.kick(file);
          for (const task of sample.host.tasks.splice(0)) task();
        }
        for (const problem of sample.problems) expect(problem).toBeInstanceOf(VirtiofsError);
        if (sample.requests.length > 0) outcomes.running += 1;
        sample.device.close();
        expect(sample.host.open.size).toBe(0);
        for (const region of sample.host.regions) {
          expect(region.unmapped).toBe(1);
          expect(region.isGuardIntact).toBe(true);
        }
      }),
      { seed: 4, numRuns: 300 },
    );
    expect(outcomes.refused).toBeGreaterThan(100);
    expect(outcomes.running).toBeGreaterThan(100);
  });
});
