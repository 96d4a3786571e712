import { closeSync, readSync, writeSync } from "node:fs";
import { afterEach, describe, expect, it } from "vitest";
import type { Channel, ChannelRequest } from "../channel/channel.js";
import { requireKoffi } from "../native/koffi.js";
import { LINUX, libcOf } from "../native/libc.js";
import { PolledDeviceChannel } from "./polled-channel.js";
import { ThreadedDeviceChannel } from "./threaded-channel.js";

const koffi = requireKoffi("Cannot test");
/** Like the device, such a socket gives and takes whole messages. From bits/socket_type.h. */
const SOCK_SEQPACKET = 5;

const ENOMEM = 12;

const kernels: number[] = [];

/** A channel over a socket, and the other end, where the kernel would be. */
function connected(
  flags: number,
  create: (fd: number) => Channel,
): { channel: Channel; kernel: number } {
  const pair = new Int32Array(new ArrayBuffer(8));
  const libc = libcOf(koffi);
  expect(libc.socketpair(LINUX.AF_UNIX, SOCK_SEQPACKET | LINUX.SOCK_CLOEXEC, 0, pair)).toBe(0);
  const [kernel = -1, fd = -1] = pair;
  expect(libc.fcntl(kernel, LINUX.F_SETFL, LINUX.O_NONBLOCK)).toBe(0);
  expect(libc.fcntl(fd, LINUX.F_SETFL, flags)).toBe(0);
  kernels.push(kernel);
  return { channel: create(fd), kernel };
}

function closeKernel(kernel: number): void {
  kernels.splice(kernels.indexOf(kernel), 1);
  closeSync(kernel);
}

function turn(): Promise<void> {
  return new Promise((next) => setImmediate(next));
}

async function received(kernel: number): Promise<Uint8Array> {
  const buffer = new Uint8Array(1 << 20);
  for (;;) {
    try {
      return buffer.subarray(0, readSync(kernel, buffer));
    } catch (error) {
      if (!(error instanceof Error && "code" in error && error.code === "EAGAIN")) throw error;
      await turn();
    }
  }
}

afterEach(() => {
  for (const kernel of kernels.splice(0)) closeSync(kernel);
});

describe.each([
  {
    name: "PolledDeviceChannel",
    open: () => connected(LINUX.O_NONBLOCK, (fd) => new PolledDeviceChannel(koffi, fd)),
  },
  {
    name: "ThreadedDeviceChannel",
    open: () => connected(0, (fd) => new ThreadedDeviceChannel(fd)),
  },
])("$name", ({ open }) => {
  it("hands out requests in order, and answers", async () => {
    const { channel, kernel } = open();
    const seen: number[] = [];
    const served = channel.serve((request) => {
      seen.push(...request.bytes);
      request.reply([request.bytes, Uint8Array.of(9)]);
    });
    for (let i = 0; i < 300; i += 100) {
      for (let k = i; k < i + 100; k++) writeSync(kernel, Uint8Array.of(k % 256));
      for (let k = i; k < i + 100; k++) {
        expect(await received(kernel)).toEqual(Uint8Array.of(k % 256, 9));
      }
    }
    closeKernel(kernel);
    await served;
    expect(seen).toEqual(Array.from({ length: 300 }, (_, i) => i % 256));
  });

  it.each([
    ["one part", [100]],
    ["small parts", [16, 0, 40]],
    ["large parts", [16, 50_000, 1]],
    ["more parts than one call takes", Array<number>(2000).fill(20)],
  ])("writes %s as one message", async (_, lengths) => {
    const { channel, kernel } = open();
    const parts = lengths.map((length, i) => new Uint8Array(length).fill(i + 1));
    const served = channel.serve((request) => request.reply(parts));
    writeSync(kernel, "?");
    const got = await received(kernel);
    expect(Buffer.from(got).equals(Buffer.concat(parts))).toBe(true);
    closeKernel(kernel);
    await served;
  });

  it("answers later, in any order", async () => {
    const { channel, kernel } = open();
    const requests: ChannelRequest[] = [];
    const served = channel.serve((request) => {
      requests.push(request);
      if (requests.length < 3) return;
      for (const [i, waiting] of requests.entries()) waiting.reply([Uint8Array.of(i)]);
    });
    for (const text of ["a", "b", "c"]) writeSync(kernel, text);
    while (requests.length < 3) await turn();
    for (const i of [0, 1, 2]) expect(await received(kernel)).toEqual(Uint8Array.of(i));
    closeKernel(kernel);
    await served;
  });

  it("sends nothing for requests without an answer, and messages of its own", async () => {
    const { channel, kernel } = open();
    const served = channel.serve((request) => {
      request.reply([]);
      expect(channel.notify([Uint8Array.of(5)])).toBe(true);
    });
    writeSync(kernel, "forget");
    expect(await received(kernel)).toEqual(Uint8Array.of(5));
    closeKernel(kernel);
    await served;
    expect(channel.notify([Uint8Array.of(6)])).toBe(false);
  });

  it("drops answers when it is closed, and nobody gets any more requests", async () => {
    const { channel, kernel } = open();
    let seen = 0;
    let waiting: ChannelRequest | undefined;
    const served = channel.serve((request) => {
      seen++;
      waiting = request;
      channel.close();
      channel.close();
    });
    writeSync(kernel, "a");
    await served;
    waiting?.reply([Uint8Array.of(1)]);
    // The thread of the one that has one is still waiting; the socket of the other is closed.
    try {
      writeSync(kernel, "b");
    } catch (error) {
      expect(error).toMatchObject({ code: "EPIPE" });
    }
    await turn();
    await turn();
    expect(seen).toBe(1);
  });

  it("serves nothing once it is closed", async () => {
    const { channel } = open();
    channel.close();
    await channel.serve(() => expect.unreachable());
  });
});

describe("PolledDeviceChannel", () => {
  it("rejects when the device cannot be read, however often it is tried", async () => {
    const failing = Object.create(koffi, { errno: { value: () => ENOMEM } });
    const { channel, kernel } = connected(
      LINUX.O_NONBLOCK,
      (fd) => new PolledDeviceChannel(failing, fd),
    );
    const served = channel.serve(() => {});
    writeSync(kernel, "x");
    await expect(served).rejects.toMatchObject({ name: "FuseError", code: "SYSTEM" });
  });

  it("goes on when something else has overwritten errno", async () => {
    let lies = 0;
    const lying = Object.create(koffi, {
      errno: { value: () => (++lies % 3 === 0 ? koffi.errno() : ENOMEM) },
    });
    const { channel, kernel } = connected(
      LINUX.O_NONBLOCK,
      (fd) => new PolledDeviceChannel(lying, fd),
    );
    const served = channel.serve((request) => request.reply([request.bytes]));
    for (const text of ["a", "b", "c"]) {
      writeSync(kernel, text);
      expect(await received(kernel)).toEqual(new TextEncoder().encode(text));
      // Until there is nothing left to read, which only errno says.
      while (lies % 3 !== 0) await turn();
    }
    expect(lies).toBeGreaterThanOrEqual(9);
    closeKernel(kernel);
    await served;
  });

  it("lets others have their turn", async () => {
    const { channel, kernel } = connected(
      LINUX.O_NONBLOCK,
      (fd) => new PolledDeviceChannel(koffi, fd),
    );
    let seen = 0;
    const seenAtTurns: number[] = [];
    for (let i = 0; i < 150; i++) writeSync(kernel, "x");
    const served = channel.serve(() => {
      if (++seen === 150) closeKernel(kernel);
    });
    while (seen < 150) {
      await turn();
      seenAtTurns.push(seen);
    }
    await served;
    expect(seenAtTurns).toEqual(expect.arrayContaining([64, 128]));
  });
});

describe("ThreadedDeviceChannel", () => {
  it("rejects when the device cannot be read", async () => {
    const { channel, kernel } = connected(0, (fd) => new ThreadedDeviceChannel(fd));
    // What the kernel has not read when it goes makes the next read here fail.
    const served = channel.serve((request) => {
      request.reply([request.bytes]);
      closeKernel(kernel);
    });
    writeSync(kernel, "x");
    await expect(served).rejects.toMatchObject({ name: "FuseError", code: "SYSTEM" });
  });
});
