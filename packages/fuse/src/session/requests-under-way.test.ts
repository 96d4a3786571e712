import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { ERRNO } from "../errno.js";
import { FILE_TYPE, type FileSystem } from "../file-system.js";
import { OPCODE } from "../protocol/opcodes.js";
import type { FakeKernel } from "../testing/fake-kernel.js";
import { Held } from "../testing/held.js";
import { cString, type ReplyFields, readBody, u64 } from "../testing/message.js";
import { openSession } from "../testing/open-session.js";
import { SlowFileSystem } from "../testing/slow-file-system.js";
import { listed, tinyWith } from "../testing/tiny-file-system.js";

const BODY = new Uint8Array(16);
const AT_ONCE = { interruptGraceMs: 0 };

function getattr(
  kernel: FakeKernel,
  nodeId: number,
  unique?: number | bigint,
): Promise<ReplyFields> {
  return kernel.call(OPCODE.GETATTR, BODY, unique === undefined ? { nodeId } : { nodeId, unique });
}

function interrupt(kernel: FakeKernel, unique: number | bigint): Promise<void> {
  return kernel.tell(OPCODE.INTERRUPT, u64(unique), { nodeId: 0 });
}

/** What has come by now, after all that was possible has happened. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol("pending");
  for (let i = 0; i < 20; i++) await Promise.resolve();
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
}

describe("requests under way", () => {
  it("are answered in the order in which they end", async () => {
    const fileSystem = new SlowFileSystem();
    const { kernel } = await openSession(fileSystem);
    const order: number[] = [];
    const calls = [2, 3, 4].map((nodeId) => getattr(kernel, nodeId).then(() => order.push(nodeId)));
    for (const index of [2, 0, 1]) {
      fileSystem.asked[index]?.answer();
      await calls[index];
    }
    expect(order).toEqual([4, 2, 3]);
  });

  it("do not hold up those that can be answered at once", async () => {
    const fileSystem = new SlowFileSystem();
    const { kernel } = await openSession(fileSystem);
    const slow = getattr(kernel, 2);
    expect((await kernel.call(OPCODE.LOOKUP, cString("a"))).errno).toBe(0);
    await kernel.tell(OPCODE.FORGET, u64(1), { nodeId: 2 });
    expect(fileSystem.lookups.size).toBe(0);
    fileSystem.asked[0]?.answer();
    expect((await slow).errno).toBe(0);
  });

  it.each([4n, 2n ** 53n, 2n ** 63n + 6n])(
    "have unique ids: %i a second time is refused",
    async (unique) => {
      const fileSystem = new SlowFileSystem();
      const { kernel } = await openSession(fileSystem);
      const first = getattr(kernel, 2, unique);
      const second = await getattr(kernel, 3, unique);
      expect(second).toMatchObject({ errno: ERRNO.EINVAL, unique });
      fileSystem.asked[0]?.answer();
      expect((await first).errno).toBe(0);
      const third = getattr(kernel, 3, unique);
      fileSystem.asked[1]?.answer();
      expect((await third).errno).toBe(0);
    },
  );
});

describe("INTERRUPT", () => {
  it.each([4n, 2n ** 53n + 2n, 2n ** 63n + 6n])(
    "aborts request %i, which is answered with EINTR",
    async (unique) => {
      const fileSystem = new SlowFileSystem();
      const errors: unknown[] = [];
      const { kernel } = await openSession(fileSystem, {
        interruptGraceMs: 0,
        onError: (error) => errors.push(error),
      });
      const other = getattr(kernel, 3, unique - 2n);
      const call = getattr(kernel, 2, unique);
      await interrupt(kernel, unique);
      expect(await call).toMatchObject({ errno: ERRNO.EINTR, unique });
      expect(fileSystem.asked.map(({ signal }) => signal.aborted)).toEqual([false, true]);
      fileSystem.asked[0]?.answer();
      expect((await other).errno).toBe(0);
      expect(errors).toEqual([]);
    },
  );

  it("does not throw away a result that comes all the same", async () => {
    const fileSystem = new SlowFileSystem();
    fileSystem.isStubborn = true;
    const { kernel } = await openSession(fileSystem, AT_ONCE);
    const call = getattr(kernel, 2, 40);
    await interrupt(kernel, 40);
    fileSystem.asked[0]?.answer();
    expect((await call).errno).toBe(0);
  });

  it("passes over requests that are answered, or never were", async () => {
    const fileSystem = new SlowFileSystem();
    const { kernel } = await openSession(fileSystem, AT_ONCE);
    await interrupt(kernel, 12345);
    const call = getattr(kernel, 2, 40);
    fileSystem.asked[0]?.answer();
    await call;
    await interrupt(kernel, 40);
    expect(fileSystem.asked[0]?.signal.aborted).toBe(false);
  });

  it("reaches a signal that is read only afterwards", async () => {
    const fileSystem = new SlowFileSystem();
    let aborted: boolean | undefined;
    fileSystem.getattr = async (_nodeId, caller) => {
      for (let i = 0; i < 10; i++) await Promise.resolve();
      aborted = caller.signal.aborted;
      throw caller.signal.reason;
    };
    const { kernel } = await openSession(fileSystem, AT_ONCE);
    const call = getattr(kernel, 2, 40);
    await interrupt(kernel, 40);
    expect((await call).errno).toBe(ERRNO.EINTR);
    expect(aborted).toBe(true);
  });
});

describe("INTERRUPT with a time of grace", () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
  afterEach(() => vi.useRealTimers());

  it("aborts a request that goes on for a second", async () => {
    const fileSystem = new SlowFileSystem();
    const { kernel } = await openSession(fileSystem);
    const call = getattr(kernel, 2, 40);
    await interrupt(kernel, 40);
    await interrupt(kernel, 40);
    expect(vi.getTimerCount()).toBe(1);
    vi.advanceTimersByTime(999);
    expect(fileSystem.asked[0]?.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect((await call).errno).toBe(ERRNO.EINTR);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("leaves a request alone that ends sooner", async () => {
    const fileSystem = new SlowFileSystem();
    const { kernel } = await openSession(fileSystem);
    const call = getattr(kernel, 2, 40);
    await interrupt(kernel, 40);
    fileSystem.asked[0]?.answer();
    expect((await call).errno).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    expect(fileSystem.asked[0]?.signal.aborted).toBe(false);
  });

  it("reaches requests that wait for their turn, and those that no longer do", async () => {
    const fileSystem = new SlowFileSystem();
    const { kernel } = await openSession(fileSystem, { maxInFlight: 1 });
    const running = getattr(kernel, 2);
    const started = getattr(kernel, 3, 40);
    const waiting = getattr(kernel, 4, 42);
    for (const unique of [40, 42]) await interrupt(kernel, unique);
    fileSystem.asked[0]?.answer();
    await running;
    vi.advanceTimersByTime(1000);
    expect((await started).errno).toBe(ERRNO.EINTR);
    expect((await waiting).errno).toBe(ERRNO.EINTR);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("takes no longer than the requests", async () => {
    const fileSystem = new SlowFileSystem();
    const { kernel, session } = await openSession(fileSystem, { maxInFlight: 1 });
    const slow = getattr(kernel, 2, 40);
    const waiting = getattr(kernel, 5, 42);
    await interrupt(kernel, 42);
    fileSystem.atHand.add(5);
    fileSystem.asked[0]?.answer();
    await slow;
    expect((await waiting).errno).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
    const calls = [getattr(kernel, 3, 44), getattr(kernel, 4, 46)];
    for (const unique of [44, 46]) await interrupt(kernel, unique);
    await session.close();
    expect((await Promise.all(calls)).map(({ errno }) => errno)).toEqual([
      ERRNO.EINTR,
      ERRNO.EINTR,
    ]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("more requests than run at once", () => {
  it("wait, and are started in order as others end", async () => {
    const fileSystem = new SlowFileSystem();
    const { kernel } = await openSession(fileSystem, { maxInFlight: 2 });
    const calls = [2, 3, 4, 5, 6].map((nodeId) => getattr(kernel, nodeId));
    expect(fileSystem.asked.map(({ nodeId }) => nodeId)).toEqual([2, 3]);
    fileSystem.asked[1]?.answer();
    await calls[1];
    expect(fileSystem.asked.map(({ nodeId }) => nodeId)).toEqual([2, 3, 4]);
    for (let i = 0; i < 5; i++) {
      fileSystem.asked[i]?.answer();
      fileSystem.asked[i]?.fail(new Error("too late"));
      await settled(Promise.all(calls));
    }
    expect((await Promise.all(calls)).map(({ errno }) => errno)).toEqual([0, 0, 0, 0, 0]);
    expect(fileSystem.asked.map(({ nodeId }) => nodeId)).toEqual([2, 3, 4, 5, 6]);
  });

  it("that are answered at once when their turn comes make room for the next", async () => {
    const fileSystem = new SlowFileSystem();
    const { kernel } = await openSession(fileSystem, { maxInFlight: 1 });
    const slow = getattr(kernel, 2);
    const waiting = [5, 6, 5].map((nodeId) => getattr(kernel, nodeId));
    const last = getattr(kernel, 3);
    expect(await settled(Promise.race(waiting))).toBe(false);
    for (const nodeId of [5, 6]) fileSystem.atHand.add(nodeId);
    fileSystem.asked[0]?.answer();
    await slow;
    expect((await Promise.all(waiting)).map(({ errno }) => errno)).toEqual([0, 0, 0]);
    fileSystem.asked[1]?.answer();
    expect((await last).errno).toBe(0);
  });

  it("are answered where the answer is at hand, though all that may run hang", async () => {
    const fileSystem = new SlowFileSystem();
    const { kernel } = await openSession(fileSystem, { maxInFlight: 2, maxBytesInFlight: 1 });
    const hung = [2, 3, 4].map((nodeId) => getattr(kernel, nodeId));
    expect(fileSystem.asked).toHaveLength(2);
    fileSystem.atHand.add(5);
    expect((await getattr(kernel, 5)).errno).toBe(0);
    expect((await kernel.call(OPCODE.LOOKUP, cString("a"))).errno).toBe(0);
    const read = await kernel.call(OPCODE.READ, readBody(5), { nodeId: 2 });
    expect(new TextDecoder().decode(read.body)).toBe("hello");
    const list = await kernel.call(OPCODE.READDIR, readBody(4096), { nodeId: 1 });
    expect(listed(list.body, false).map(({ name }) => name)).toEqual([".", "..", "a", "b"]);
    expect(await settled(Promise.race(hung))).toBe(false);
    expect(fileSystem.asked).toHaveLength(2);
  });

  it("wait also where a promise tells that the answer is not at hand", async () => {
    const fileSystem = new SlowFileSystem();
    let calls = 0;
    fileSystem.lookup = async (_parent, _name, caller) => {
      calls++;
      if (caller?.signal.aborted === true) throw caller.signal.reason;
      return ERRNO.ENOENT;
    };
    const errors: unknown[] = [];
    const { kernel } = await openSession(fileSystem, {
      maxInFlight: 1,
      onError: (error) => errors.push(error),
    });
    const slow = getattr(kernel, 2);
    const lookup = kernel.call(OPCODE.LOOKUP, cString("a"));
    expect(await settled(lookup)).toBe(false);
    fileSystem.asked[0]?.answer();
    await slow;
    expect((await lookup).errno).toBe(ERRNO.ENOENT);
    expect(calls).toBe(2);
    expect(errors).toEqual([]);
  });

  it.each([0, 1000])(
    "can be interrupted when a promise is about to tell that: %i ms of grace",
    async (interruptGraceMs) => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      onTestFinished(() => void vi.useRealTimers());
      const fileSystem = new SlowFileSystem();
      fileSystem.lookup = async (_parent, _name, caller) => {
        caller?.signal.throwIfAborted();
        return expect.unreachable();
      };
      const { kernel } = await openSession(fileSystem, { maxInFlight: 1, interruptGraceMs });
      const slow = getattr(kernel, 2);
      const lookup = kernel.call(OPCODE.LOOKUP, cString("a"), { unique: 40 });
      const told = interrupt(kernel, 40);
      await told;
      vi.advanceTimersByTime(interruptGraceMs);
      expect((await lookup).errno).toBe(ERRNO.EINTR);
      fileSystem.asked[0]?.answer();
      expect((await slow).errno).toBe(0);
      expect(vi.getTimerCount()).toBe(0);
    },
  );

  it("are answered with the part of a listing that is at hand", async () => {
    const fileSystem = new SlowFileSystem();
    const name = new TextEncoder().encode("first");
    const errors: unknown[] = [];
    fileSystem.readdir = async (_nodeId, _handle, _offset, sink, caller) => {
      sink.add({ name, ino: 2, type: FILE_TYPE.REGULAR, nextOffset: 1 });
      caller.signal.throwIfAborted();
      return undefined;
    };
    const { kernel } = await openSession(fileSystem, {
      maxInFlight: 1,
      onError: (error) => errors.push(error),
    });
    const slow = getattr(kernel, 2);
    const list = await kernel.call(OPCODE.READDIR, readBody(4096), { nodeId: 1 });
    expect(listed(list.body, false).map((item) => item.name)).toEqual(["first"]);
    expect(errors).toEqual([]);
    fileSystem.asked[0]?.answer();
    expect((await slow).errno).toBe(0);
  });

  it("are answered with EBUSY beyond those that may wait", async () => {
    const fileSystem = new SlowFileSystem();
    const { kernel } = await openSession(fileSystem, { maxInFlight: 1, maxWaiting: 2 });
    const calls = [2, 3, 4].map((nodeId) => getattr(kernel, nodeId));
    expect((await getattr(kernel, 5)).errno).toBe(ERRNO.EBUSY);
    for (let i = 0; i < 3; i++) {
      fileSystem.asked[i]?.answer();
      await calls[i];
    }
    const again = getattr(kernel, 6);
    fileSystem.asked[3]?.answer();
    expect((await again).errno).toBe(0);
  });

  it("wait also for bytes that were asked for", async () => {
    const held = [new Held<readonly Uint8Array[]>(), new Held<readonly Uint8Array[]>()];
    const asked: number[] = [];
    const read: FileSystem["read"] = (nodeId, _handle, _offset, _size, caller) => {
      if (caller.signal.aborted) throw caller.signal.reason;
      asked.push(nodeId);
      return held[nodeId]?.promise ?? [];
    };
    const { kernel } = await openSession(tinyWith({ read }), { maxBytesInFlight: 150 });
    const calls = [0, 1, 2].map((nodeId) => kernel.call(OPCODE.READ, readBody(100), { nodeId }));
    expect(asked).toEqual([0, 1]);
    held[1]?.resolve([]);
    await calls[1];
    expect((await calls[2])?.errno).toBe(0);
    held[0]?.reject(new Error("broken"));
    expect((await calls[0])?.errno).toBe(ERRNO.EIO);
    expect((await kernel.call(OPCODE.READ, readBody(100), { nodeId: 3 })).errno).toBe(0);
    expect(asked).toEqual([0, 1, 2, 3]);
  });

  it("can be interrupted while they wait, and are then never started", async () => {
    const fileSystem = new SlowFileSystem();
    const { kernel } = await openSession(fileSystem, { ...AT_ONCE, maxInFlight: 1 });
    const running = getattr(kernel, 2);
    const waiting = getattr(kernel, 3, 40);
    expect((await getattr(kernel, 3, 40)).errno).toBe(ERRNO.EINVAL);
    await interrupt(kernel, 40);
    expect((await waiting).errno).toBe(ERRNO.EINTR);
    fileSystem.asked[0]?.answer();
    await running;
    expect(fileSystem.asked.length).toBe(1);
  });
});

describe("what ends all requests", () => {
  it.each(["a second INIT", "DESTROY"])("%s waits until they have ended", async (kind) => {
    const fileSystem = new SlowFileSystem();
    fileSystem.isStubborn = true;
    const { kernel } = await openSession(fileSystem, { maxInFlight: 2 });
    const calls = [2, 3, 4].map((nodeId) => getattr(kernel, nodeId));
    const ended = kind === "DESTROY" ? kernel.call(OPCODE.DESTROY) : kernel.init();
    expect((await calls[2])?.errno).toBe(ERRNO.EINTR);
    expect(fileSystem.asked.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    fileSystem.asked[0]?.answer();
    expect((await calls[0])?.errno).toBe(0);
    expect(await settled(ended)).toBe(false);
    expect(fileSystem.destroyed).toBe(0);
    expect((await getattr(kernel, 9)).errno).toBe(ERRNO.EIO);
    expect((await kernel.init()).errno).toBe(ERRNO.EBUSY);
    expect((await kernel.call(OPCODE.DESTROY)).errno).toBe(ERRNO.EBUSY);
    fileSystem.asked[1]?.fail(new Error("aborted"));
    expect((await calls[1])?.errno).toBe(ERRNO.EINTR);
    expect((await ended).errno).toBe(0);
    expect(fileSystem.destroyed).toBe(1);
    expect(fileSystem.asked.length).toBe(2);
    expect((await kernel.call(OPCODE.LOOKUP, cString("a"))).errno).toBe(
      kind === "DESTROY" ? ERRNO.EIO : 0,
    );
  });

  it("close() answers them, then closes the channel", async () => {
    const fileSystem = new SlowFileSystem();
    const { kernel, session, channel } = await openSession(fileSystem, { maxInFlight: 2 });
    const calls = [2, 3, 4].map((nodeId) => getattr(kernel, nodeId));
    const closed = session.close();
    expect(channel.isClosed).toBe(false);
    expect((await Promise.all(calls)).map(({ errno }) => errno)).toEqual([
      ERRNO.EINTR,
      ERRNO.EINTR,
      ERRNO.EINTR,
    ]);
    await closed;
    expect(channel.isClosed).toBe(true);
    expect(fileSystem.destroyed).toBe(1);
  });

  it("close() waits for those that take their time", async () => {
    const fileSystem = new SlowFileSystem();
    fileSystem.isStubborn = true;
    const { kernel, session, served } = await openSession(fileSystem);
    const call = getattr(kernel, 2);
    const closed = session.close();
    expect(await settled(Promise.race([closed, served]))).toBe(false);
    fileSystem.asked[0]?.answer();
    await Promise.all([closed, served]);
    expect((await call).errno).toBe(0);
  });

  it.each(["close()", "a second INIT", "DESTROY"])(
    "%s gives up those that never end",
    async (kind) => {
      vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
      onTestFinished(() => void vi.useRealTimers());
      const fileSystem = new SlowFileSystem();
      fileSystem.isStubborn = true;
      const { kernel, session, channel } = await openSession(fileSystem, {
        maxInFlight: 2,
        endGraceMs: 300,
      });
      const calls = [40, 42, 44].map((unique, i) => getattr(kernel, i + 2, unique));
      const ended =
        kind === "close()"
          ? session.close()
          : kind === "DESTROY"
            ? kernel.call(OPCODE.DESTROY)
            : kernel.init();
      vi.advanceTimersByTime(299);
      expect(await settled(ended)).toBe(false);
      vi.advanceTimersByTime(1);
      await ended;
      const errnos = (await Promise.all(calls)).map(({ errno }) => errno);
      expect(errnos).toEqual([ERRNO.EINTR, ERRNO.EINTR, ERRNO.EINTR]);
      expect(fileSystem.destroyed).toBe(1);
      expect(vi.getTimerCount()).toBe(0);
      for (const { answer } of fileSystem.asked) answer();
      expect(await settled(new Promise(() => {}))).toBe(false);
      expect(channel.answersTooMany).toBe(0);
    },
  );

  it("what was given up counts for nothing afterwards", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const fileSystem = new SlowFileSystem();
    fileSystem.isStubborn = true;
    const { kernel } = await openSession(fileSystem, { maxInFlight: 1 });
    const first = getattr(kernel, 2, 40);
    const again = kernel.init();
    vi.advanceTimersByTime(500);
    await Promise.all([first, again]);
    // Another machine counts its requests anew.
    const second = getattr(kernel, 3, 40);
    const waiting = getattr(kernel, 4, 42);
    fileSystem.asked[0]?.answer();
    expect(await settled(Promise.race([second, waiting]))).toBe(false);
    expect(fileSystem.asked).toHaveLength(2);
    fileSystem.asked[1]?.answer();
    expect((await second).errno).toBe(0);
    fileSystem.asked[2]?.answer();
    expect((await waiting).errno).toBe(0);
  });

  it("close() during a second INIT ends both", async () => {
    const fileSystem = new SlowFileSystem();
    fileSystem.isStubborn = true;
    const { kernel, session, served } = await openSession(fileSystem);
    const call = getattr(kernel, 2);
    const init = kernel.init();
    const closed = session.close();
    fileSystem.asked[0]?.answer();
    await Promise.all([closed, served, call]);
    expect((await init).errno).toBe(ERRNO.EIO);
    expect((await kernel.call(OPCODE.STATFS)).errno).toBe(ERRNO.EIO);
    expect(fileSystem.destroyed).toBe(1);
  });

  it("a channel that ends does", async () => {
    const fileSystem = new SlowFileSystem();
    const { kernel, channel, served } = await openSession(fileSystem);
    const call = getattr(kernel, 2);
    channel.hangUp();
    await served;
    expect((await call).errno).toBe(ERRNO.EINTR);
    expect(fileSystem.destroyed).toBe(1);
  });
});
