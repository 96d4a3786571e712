import {
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ChannelRequest } from "../channel/channel.js";
import { requireKoffi } from "../native/koffi.js";
import { addresses, memoryTable, number, plain, state } from "../testing/frontend-messages.js";
import { GuestDriver } from "../testing/guest-driver.js";
import { SocketFrontend } from "../testing/socket-frontend.js";
import { OFFERED_FEATURES, OFFERED_PROTOCOL_FEATURES, REQUEST } from "./vhost-user-protocol.js";
import type { VirtiofsChannel } from "./virtiofs-channel.js";
import { VirtiofsError } from "./virtiofs-error.js";
import { VirtiofsServer } from "./virtiofs-server.js";

const koffi = requireKoffi("Cannot test");
const USER = 0x7f00_0000_0000n;
const SIZE = 2 ** 20;
const ASK = { readable: [Uint8Array.of(1, 2, 3)], writable: [8] };

let directory: string;
let socketPath: string;
const toClose: { close(): void }[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tvix-virtiofs-"));
  socketPath = join(directory, "socket");
});

afterEach(() => {
  for (const item of toClose.splice(0)) item.close();
  rmSync(directory, { recursive: true });
});

/** A server whose channels end up in a list, with the promise of their service. */
class Sample {
  readonly server: VirtiofsServer;
  readonly channels: VirtiofsChannel[] = [];
  readonly ends: Promise<unknown>[] = [];
  readonly problems: unknown[] = [];
  readonly requests: ChannelRequest[] = [];
  onRequest: (request: ChannelRequest) => void = (request) => {
    request.reply([Uint8Array.from(request.bytes).reverse()]);
  };

  constructor() {
    this.server = VirtiofsServer.listen({
      socketPath,
      onConnection: (channel) => {
        this.channels.push(channel);
        const served = channel.serve((request) => {
          this.requests.push(request);
          this.onRequest(request);
        });
        this.ends.push(served.catch((error: unknown) => error));
        toClose.push(channel);
      },
      onProblem: (error) => this.problems.push(error),
    });
    toClose.push(this.server);
  }

  /** How connection `index` ended: `undefined`, or with an error. */
  async end(index: number): Promise<unknown> {
    while (this.ends.length <= index) await turn();
    return await this.ends[index];
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function connect(): SocketFrontend {
  return new SocketFrontend(koffi, socketPath);
}

/** Sets up memory and a request queue, and asks something. */
async function ask(frontend: SocketFrontend): Promise<GuestDriver> {
  const { driver, call } = await submit(frontend);
  await frontend.called(call);
  return driver;
}

/** As {@link ask}, without waiting for the answer. */
async function submit(frontend: SocketFrontend): Promise<{ driver: GuestDriver; call: number }> {
  const file = frontend.memoryFile(SIZE);
  const memory = frontend.map(file, SIZE);
  const driver = new GuestDriver({ memory, guestAddress: 0, start: 0, end: SIZE, size: 8 });
  const [kick, call] = [frontend.event(), frontend.event()];
  const { descriptors, used, available } = driver.offsets;
  const place = (offset: number): bigint => USER + BigInt(offset);
  const parts = {
    descriptors: place(descriptors),
    used: place(used),
    available: place(available),
  };
  frontend.send(number(REQUEST.SET_PROTOCOL_FEATURES, OFFERED_PROTOCOL_FEATURES));
  frontend.send(number(REQUEST.SET_FEATURES, OFFERED_FEATURES), [], true);
  expect(await frontend.answer()).toBe(0n);
  const region = { guestAddress: 0, size: SIZE, userAddress: USER, fileOffset: 0 };
  frontend.send(memoryTable([region]), [file]);
  frontend.send(state(REQUEST.SET_VRING_NUM, 1, 8));
  frontend.send(addresses(1, parts));
  frontend.send(number(REQUEST.SET_VRING_KICK, 1), [kick]);
  frontend.send(number(REQUEST.SET_VRING_CALL, 1), [call]);
  frontend.send(state(REQUEST.SET_VRING_ENABLE, 1, 1), [], true);
  expect(await frontend.answer()).toBe(0n);
  driver.submit(ASK);
  frontend.kick(kick);
  return { driver, call };
}

describe("VirtiofsServer", () => {
  it("serves one virtual machine after the other, and several at once", async () => {
    const sample = new Sample();
    const first = connect();
    expect((await ask(first)).completed()).toMatchObject([{ bytes: Uint8Array.of(3, 2, 1) }]);
    const second = connect();
    expect((await ask(second)).completed()).toHaveLength(1);
    first.close();
    expect(await sample.end(0)).toBeUndefined();
    const third = connect();
    expect((await ask(third)).completed()).toHaveLength(1);
    second.close();
    third.close();
    expect(await sample.end(1)).toBeUndefined();
    expect(await sample.end(2)).toBeUndefined();
    expect(sample.problems).toEqual([]);
  });

  it("leaves no file open and no memory mapped", async () => {
    const sample = new Sample();
    const count = (): number => readdirSync("/proc/self/fd").length;
    for (let i = 0; i < 3; i += 1) {
      const before = count();
      const frontend = connect();
      await ask(frontend);
      frontend.close();
      await sample.end(i);
      expect(count()).toBe(before);
      expect(readFileSync("/proc/self/maps", "latin1")).not.toContain("tvix-frontend");
    }
  });

  it("drops answers that come after the virtual machine is gone", async () => {
    const sample = new Sample();
    const frontend = connect();
    await ask(frontend);
    const late: ChannelRequest[] = [];
    sample.onRequest = (request) => late.push(request);
    // Another request, to a queue that is set up as before; nothing answers it in time.
    const other = connect();
    await submit(other);
    while (late.length === 0) await turn();
    other.close();
    await sample.end(1);
    expect(readFileSync("/proc/self/maps", "latin1")).toContain("tvix-frontend");
    late[0]?.reply([Uint8Array.of(1)]);
    frontend.close();
    expect(await sample.end(0)).toBeUndefined();
    expect(readFileSync("/proc/self/maps", "latin1")).not.toContain("tvix-frontend");
  });

  it.each([
    ["another version of the protocol", Uint8Array.of(1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0)],
    ["a request that was not offered", Uint8Array.of(31, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0)],
  ])("closes the connection for %s", async (_, bytes) => {
    const sample = new Sample();
    const frontend = connect();
    frontend.sendBytes(bytes, [frontend.event()]);
    expect(await sample.end(0)).toMatchObject({ code: "PROTOCOL", reason: "message" });
    expect(await frontend.answer()).toBeUndefined();
    frontend.close();
  });

  it("notices an end within a message", async () => {
    const sample = new Sample();
    const frontend = connect();
    frontend.sendBytes(Uint8Array.of(1, 0, 0));
    frontend.close();
    expect(String(await sample.end(0))).toContain("the connection ended in it");
  });

  it("takes messages in pieces", async () => {
    new Sample();
    const frontend = connect();
    for (const byte of [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]) {
      frontend.sendBytes(Uint8Array.of(byte));
      await turn();
    }
    expect(await frontend.answer()).toBe(OFFERED_FEATURES);
    frontend.close();
  });

  it("refuses more files than any message has", async () => {
    const sample = new Sample();
    const frontend = connect();
    const files = Array.from({ length: 9 }, () => frontend.event());
    const before = readdirSync("/proc/self/fd").length;
    frontend.sendBytes(Uint8Array.of(1), files);
    expect(String(await sample.end(0))).toContain("too many descriptors");
    for (let i = 1; i <= 2; i += 1) {
      const slow = connect();
      slow.sendBytes(Uint8Array.of(1), files.slice(0, 8));
      await turn();
      slow.sendBytes(Uint8Array.of(0), files.slice(0, 1));
      expect(String(await sample.end(i))).toContain("more than 8 files");
      slow.close();
    }
    // But for the socket of the channel, which has ended, everything is as before.
    expect(readdirSync("/proc/self/fd")).toHaveLength(before);
    frontend.close();
  });

  it("refuses memory that a file does not have", async () => {
    const sample = new Sample();
    const frontend = connect();
    const region = { guestAddress: 0, size: SIZE + 1, userAddress: USER, fileOffset: 0 };
    frontend.send(memoryTable([region]), [frontend.memoryFile(SIZE)]);
    expect(await sample.end(0)).toMatchObject({ reason: "memory" });
    frontend.close();
    const second = connect();
    second.send(memoryTable([{ ...region, size: SIZE }]), [second.event()]);
    expect(String(await sample.end(1))).toContain("no regular file");
    second.close();
  });

  it("refuses to wait for kicks from a file that has none", async () => {
    const sample = new Sample();
    const frontend = connect();
    frontend.send(number(REQUEST.SET_VRING_KICK, 0), [frontend.memoryFile(8)]);
    expect(String(await sample.end(0))).toContain("no eventfd");
    frontend.close();
  });
});

describe("VirtiofsServer.listen()", () => {
  it("lets nobody else connect", () => {
    new Sample();
    expect(statSync(socketPath).mode & 0o777).toBe(0o600);
  });

  it("replaces a socket that nobody has any more", async () => {
    const dead = join(directory, "dead");
    const server = createServer().listen(dead);
    await new Promise((resolve) => server.once("listening", resolve));
    // A second name outlives the server, which removes its own.
    linkSync(dead, socketPath);
    await new Promise((resolve) => server.close(resolve));
    const sample = new Sample();
    const frontend = connect();
    frontend.send(plain(REQUEST.GET_QUEUE_NUM));
    expect(await frontend.answer()).toBe(17n);
    frontend.close();
    await sample.end(0);
  });

  it("does not take the place of another process", () => {
    new Sample();
    expect(() => new Sample()).toThrow("another process does");
    expect(() => new Sample()).toThrow(expect.objectContaining({ code: "BUSY" }));
  });

  it("does not remove what is no socket", () => {
    writeFileSync(socketPath, "precious");
    expect(() => new Sample()).toThrow("it is no socket");
    expect(readFileSync(socketPath, "utf8")).toBe("precious");
    rmSync(socketPath);
    symlinkSync("elsewhere", socketPath);
    expect(() => new Sample()).toThrow("it is no socket");
  });

  it.each([
    ["too long", () => join(directory, "x".repeat(108))],
    ["empty", () => ""],
    ["with a zero byte", () => "/tmp/a\0b"],
  ])("refuses a path that is %s", (_, path) => {
    socketPath = path();
    expect(() => new Sample()).toThrow("a socket has a path of 1 to 107 bytes");
  });

  it("fails where there is no such directory", () => {
    socketPath = join(directory, "no", "socket");
    expect(() => new Sample()).toThrow(expect.objectContaining({ code: "SYSTEM" }));
  });
});

describe("VirtiofsServer.close()", () => {
  it("removes its socket, and lets those who are connected go on", async () => {
    const sample = new Sample();
    const frontend = connect();
    await ask(frontend);
    sample.server.close();
    sample.server.close();
    expect(() => statSync(socketPath)).toThrow("ENOENT");
    frontend.send(plain(REQUEST.GET_FEATURES));
    expect(await frontend.answer()).toBe(OFFERED_FEATURES);
    sample.channels[0]?.close();
    expect(await sample.end(0)).toBeUndefined();
    expect(await frontend.answer()).toBeUndefined();
    frontend.close();
  });

  it("leaves a socket that somebody else has put there", () => {
    const sample = new Sample();
    rmSync(socketPath);
    const other = new Sample();
    sample.server.close();
    expect(statSync(socketPath).isSocket()).toBe(true);
    other.server.close();
    expect(() => statSync(socketPath)).toThrow("ENOENT");
  });
});

describe("VirtiofsError", () => {
  it("is told by its code", () => {
    expect(new VirtiofsError("ring", "x")).toMatchObject({
      code: "PROTOCOL",
      name: "VirtiofsError",
    });
  });
});
