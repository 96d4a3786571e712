import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import { loadKoffi, requireKoffi } from "./koffi.js";
import { LINUX, libcOf } from "./libc.js";
import { MessageReceiver } from "./receive-message.js";
import { watchReadable } from "./watch-readable.js";

const koffi = requireKoffi("Cannot test");
const libc = libcOf(koffi);
const open = new Set<number>();

/** Two ends of a stream. */
function socketPair(flags: number): [number, number] {
  const pair = new Int32Array(new ArrayBuffer(8));
  const type = LINUX.SOCK_STREAM | LINUX.SOCK_CLOEXEC | flags;
  expect(libc.socketpair(LINUX.AF_UNIX, type, 0, pair)).toBe(0);
  const [a = -1, b = -1] = pair;
  open.add(a).add(b);
  return [a, b];
}

function close(fd: number): void {
  open.delete(fd);
  closeSync(fd);
}

afterEach(() => {
  for (const fd of open) closeSync(fd);
  open.clear();
});

const sendmsg = koffi.load(null).func("long sendmsg(int fd, const void *header, int flags)") as (
  fd: number,
  header: Uint8Array,
  flags: number,
) => number;

/** Sends bytes and open files, with everything that the call needs in one piece of memory. */
function send(fd: number, bytes: Uint8Array, descriptors: readonly number[]): void {
  const control = 16 + 4 * descriptors.length;
  const memory = new Uint8Array(new ArrayBuffer(2048));
  const view = new DataView(memory.buffer);
  const address = koffi.address(memory);
  memory.set(bytes, 1536);
  view.setBigUint64(16, address + 56n, true);
  view.setBigUint64(24, 1n, true);
  view.setBigUint64(56, address + 1536n, true);
  view.setBigUint64(64, BigInt(bytes.length), true);
  if (descriptors.length > 0) {
    view.setBigUint64(32, address + 72n, true);
    view.setBigUint64(40, BigInt((control + 7) & ~7), true);
    view.setBigUint64(72, BigInt(control), true);
    view.setInt32(80, LINUX.SOL_SOCKET, true);
    view.setInt32(84, LINUX.SCM_RIGHTS, true);
    descriptors.forEach((descriptor, i) => {
      view.setInt32(88 + 4 * i, descriptor, true);
    });
  }
  expect(sendmsg(fd, memory, 0)).toBe(bytes.length);
}

describe("loadKoffi()", () => {
  it("loads once", () => {
    expect(loadKoffi()).toBe(koffi);
  });
});

describe("libcOf()", () => {
  it("reads what was written, and tells why it cannot", () => {
    const [a, b] = socketPair(LINUX.O_NONBLOCK);
    const buffer = new Uint8Array(new ArrayBuffer(100));
    expect(libc.read(b, buffer, 100)).toBe(-1);
    expect(libc.errno()).toBe(LINUX.EAGAIN);
    expect(libc.write(a, Uint8Array.of(1, 2, 3), 3)).toBe(3);
    expect(libc.read(b, buffer, 100)).toBe(3);
    expect(buffer.subarray(0, 3)).toEqual(Uint8Array.of(1, 2, 3));
  });

  it("makes a descriptor non-blocking", () => {
    const [a] = socketPair(0);
    const flags = libc.fcntl(a, LINUX.F_GETFL, 0);
    expect(flags & LINUX.O_NONBLOCK).toBe(0);
    expect(libc.fcntl(a, LINUX.F_SETFL, flags | LINUX.O_NONBLOCK)).toBe(0);
    expect(libc.fcntl(a, LINUX.F_GETFL, 0)).toBe(flags | LINUX.O_NONBLOCK);
  });
});

describe("watchReadable()", () => {
  it("reads what comes, then the end", async () => {
    const [a, b] = socketPair(LINUX.O_NONBLOCK);
    const buffer = new Uint8Array(new ArrayBuffer(100));
    const lengths: number[] = [];
    await new Promise<void>((done) => {
      const stop = watchReadable(koffi, b, () => {
        const length = libc.read(b, buffer, 100);
        lengths.push(length);
        if (length > 0) close(a);
        else {
          stop();
          stop();
          done();
        }
      });
      writeSync(a, "hello");
    });
    expect(lengths).toEqual([5, 0]);
  });

  it("lets promises go on at once", async () => {
    const [a, b] = socketPair(LINUX.O_NONBLOCK);
    const steps: string[] = [];
    await new Promise<void>((done) => {
      const stop = watchReadable(koffi, b, () => {
        stop();
        steps.push("read");
        // The turn of the event loop ends with these immediates: what comes later came too late.
        setImmediate(() => {
          steps.push("later");
          done();
        });
        void Promise.resolve().then(() => steps.push("promise"));
      });
      writeSync(a, "x");
    });
    expect(steps).toEqual(["read", "promise", "later"]);
  });

  it("reports what is thrown as uncaught", async () => {
    const [a, b] = socketPair(LINUX.O_NONBLOCK);
    const others = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    try {
      const caught = new Promise((settle) => process.once("uncaughtException", settle));
      const stop = watchReadable(koffi, b, () => {
        stop();
        throw new Error("seen");
      });
      writeSync(a, "x");
      expect(await caught).toMatchObject({ message: "seen" });
    } finally {
      for (const listener of others) process.on("uncaughtException", listener);
    }
  });
});

describe("MessageReceiver", () => {
  it("receives bytes without descriptors", () => {
    const [a, b] = socketPair(LINUX.O_NONBLOCK);
    const receiver = new MessageReceiver(koffi, { maxBytes: 64, maxDescriptors: 1 });
    expect(receiver.receive(b, 64)).toBeUndefined();
    writeSync(a, "hello");
    const first = receiver.receive(b, 2);
    expect(first).toEqual({ bytes: Uint8Array.of(0x68, 0x65), descriptors: [] });
    expect(receiver.receive(b, 64)?.bytes).toHaveLength(3);
    close(a);
    expect(receiver.receive(b, 64)).toEqual({ bytes: new Uint8Array(0), descriptors: [] });
  });

  it.each([1, 2, 8])("receives %i open files", (count) => {
    const [a, b] = socketPair(LINUX.O_NONBLOCK);
    const null_ = openSync("/dev/null", "r");
    open.add(null_);
    send(a, Uint8Array.of(7), Array<number>(count).fill(null_));
    const receiver = new MessageReceiver(koffi, { maxBytes: 1, maxDescriptors: 8 });
    const message = receiver.receive(b, 1);
    expect(message?.bytes).toEqual(Uint8Array.of(7));
    expect(message?.descriptors).toHaveLength(count);
    for (const fd of message?.descriptors ?? []) {
      open.add(fd);
      expect(fstatSync(fd).rdev).toBe(fstatSync(null_).rdev);
      expect(readSync(fd, new Uint8Array(1))).toBe(0);
    }
  });

  it.each([1, 2])("closes what it got when more than %i come", (maxDescriptors) => {
    const [a, b] = socketPair(LINUX.O_NONBLOCK);
    const null_ = openSync("/dev/null", "r");
    open.add(null_);
    send(a, Uint8Array.of(7), [null_, null_, null_, null_]);
    const receiver = new MessageReceiver(koffi, { maxBytes: 1, maxDescriptors });
    expect(() => receiver.receive(b, 1)).toThrow("too many descriptors");
    const next = openSync("/dev/null", "r");
    open.add(next);
    expect(next).toBe(null_ + 1);
  });

  it("waits for a message on another thread", async () => {
    const [a, b] = socketPair(0);
    const receiver = new MessageReceiver(koffi, { maxBytes: 8, maxDescriptors: 1 });
    const coming = receiver.receiveAsync(b, 8);
    setImmediate(() => send(a, Uint8Array.of(1, 2), [a]));
    const { bytes, descriptors } = await coming;
    expect(bytes).toEqual(Uint8Array.of(1, 2));
    expect(descriptors).toHaveLength(1);
    for (const fd of descriptors) open.add(fd);
  });

  it("refuses more than it has room for", () => {
    const receiver = new MessageReceiver(koffi, { maxBytes: 8, maxDescriptors: 1 });
    expect(() => receiver.receive(0, 9)).toThrow(RangeError);
  });

  it("fails on a descriptor that is no socket", async () => {
    const file = openSync("/dev/null", "r");
    open.add(file);
    const receiver = new MessageReceiver(koffi, { maxBytes: 8, maxDescriptors: 1 });
    expect(() => receiver.receive(file, 8)).toThrow("errno 88");
    await expect(receiver.receiveAsync(file, 8)).rejects.toMatchObject({ code: "SYSTEM" });
  });
});
