import { createCipheriv } from "node:crypto";
import { closeSync, mkdirSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";
import { basename, join } from "node:path";
import { DelayingProxy } from "@tvix/bench/latency";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../cli/until.js";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import { MountRig, NO_MOUNTS, type ServedMount, shell, shellText } from "../mount/mount-rig.js";
import { Machine } from "./network.js";

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

/** Where the file is read, and how much. */
const OFFSET = 700 * MIB + 12_345;
const LENGTH = 4096;

/** Most bytes on the wire for a page of a file. */
const PAGE_LIMIT = MIB;

/** What machines say to each other with nothing to do: keepalive, ARP. */
const SMALL_TALK = 16 * 1024;

/** How long something may take that does not wait for a machine which is gone, in ms. */
const AT_ONCE_MS = 5000;

/**
 * Three machines: A has the store, B keeps what goes through it, C keeps what it reads through B, and shows it
 * as a file system. A proxy stands in for each cable that the kernel cannot make long.
 */
class Chain {
  readonly rig: MountRig;
  readonly machines: readonly [Machine, Machine, Machine];
  readonly #proxies: DelayingProxy[] = [];
  a: Daemon;
  b: Daemon;
  c: Daemon;
  readonly #portA: number;

  private constructor(
    rig: MountRig,
    machines: readonly [Machine, Machine, Machine],
    daemons: readonly [Daemon, Daemon, Daemon],
    proxies: readonly DelayingProxy[],
  ) {
    this.rig = rig;
    this.machines = machines;
    [this.a, this.b, this.c] = daemons;
    this.#portA = this.a.port;
    this.#proxies.push(...proxies);
  }

  static async create(): Promise<Chain> {
    const rig = await MountRig.create();
    const machines = [Machine.create(1), Machine.create(2), Machine.create(3)] as const;
    const [first, second, third] = machines;
    const a = await startDaemon({
      dataDirectory: rig.sandbox.path("a"),
      through: first.through,
      args: ["--listen", `${first.host}:0`, "--insecure"],
    });
    const toA = await proxyFor(second, a);
    const b = await startCache(rig.sandbox.path("b"), second, toA.port, 0);
    const toB = await proxyFor(third, b);
    const c = await startCache(rig.sandbox.path("c"), third, toB.port, 0);
    return new Chain(rig, machines, [a, b, c], [toA, toB]);
  }

  /**
   * Bytes so far between A and B, and between B and C, both ways: as the kernel counts them at the ends, what the
   * proxies have carried where it does not.
   */
  get wires(): Wires {
    const [a, , c] = this.machines;
    const [toA, toB] = this.#proxies;
    return { ab: a.bytesOnWire ?? toA?.bytes ?? 0, bc: c.bytesOnWire ?? toB?.bytes ?? 0 };
  }

  /** What work moves. */
  async moved(work: () => Promise<void>): Promise<Wires> {
    const before = this.wires;
    await work();
    const { ab, bc } = this.wires;
    return { ab: ab - before.ab, bc: bc - before.bc };
  }

  async restartB(): Promise<void> {
    const { port } = this.b;
    await this.b.stop();
    const [toA] = this.#proxies;
    this.b = await startCache(this.rig.sandbox.path("b"), this.machines[1], toA?.port ?? 0, port);
  }

  async killA(): Promise<void> {
    this.a.signal("SIGKILL");
    await this.a.exited;
  }

  async reviveA(): Promise<void> {
    const [machine] = this.machines;
    this.a = await startDaemon({
      dataDirectory: this.rig.sandbox.path("a"),
      through: machine.through,
      args: ["--listen", `${machine.host}:${this.#portA}`, "--insecure"],
    });
  }

  /** Mounts the store of C. */
  mount(): Promise<ServedMount> {
    return this.rig.mount({ options: ["--store", `grpc+unix://${this.c.socketPath}`] });
  }

  async remove(): Promise<void> {
    await this.rig.end();
    for (const daemon of [this.c, this.b, this.a]) await daemon[Symbol.asyncDispose]();
    for (const proxy of this.#proxies) await proxy[Symbol.asyncDispose]();
    for (const machine of this.machines) machine[Symbol.dispose]();
    await this.rig.remove();
  }
}

/** Bytes between two machines each. */
interface Wires {
  readonly ab: number;
  readonly bc: number;
}

/** Lets a machine reach a daemon on another one. */
function proxyFor(machine: Machine, daemon: Daemon): Promise<DelayingProxy> {
  const { gateway: host, delayMs } = machine;
  return DelayingProxy.listen({ host: daemon.host, port: daemon.port }, { host, delayMs });
}

/** Starts a daemon that keeps what it reads from the one behind a port of its gateway. */
function startCache(
  directory: string,
  { host, gateway, through }: Machine,
  farPort: number,
  port: number,
): Promise<Daemon> {
  const near = encodeURIComponent(`local://${directory}`);
  const far = encodeURIComponent(`grpc+http://${gateway}:${farPort}`);
  mkdirSync(directory, { recursive: true });
  return startDaemon({
    dataDirectory: directory,
    through,
    args: [
      ...["--listen", `${host}:${port}`, "--insecure"],
      ...["--store", `cache:?near=${near}&far=${far}`],
    ],
  });
}

/** Writes a file that does not compress and repeats nothing. */
function writeNoise(path: string, length: number): void {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16));
  const zeros = Buffer.alloc(4 * MIB);
  const fd = openSync(path, "w");
  for (let at = 0; at < length; at += zeros.length) {
    writeSync(fd, cipher.update(zeros.subarray(0, length - at)));
  }
  closeSync(fd);
}

function readAt(path: string, offset: number, length: number): Buffer {
  const fd = openSync(path, "r");
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, offset);
  closeSync(fd);
  return bytes;
}

/** Reads a part of a file in a process of its own, past the page cache of the file. */
async function readApart(path: string, offset: number, length: number): Promise<Buffer> {
  const program =
    "import os,sys;f=os.open(sys.argv[1],0);o,n=int(sys.argv[2]),int(sys.argv[3]);" +
    "os.posix_fadvise(f,0,0,os.POSIX_FADV_RANDOM);os.write(1,os.pread(f,n,o))";
  const line = '/usr/bin/python3 -c "$1" "$2" "$3" "$4"';
  const { status, stdout, stderr } = await shell(line, program, path, `${offset}`, `${length}`);
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

describe.skipIf(NO_MOUNTS)("three machines, each 50 ms from the next", () => {
  let chain: Chain;
  let original: string;
  let name: string;
  let small: string;
  let mount: ServedMount;

  beforeAll(async () => {
    chain = await Chain.create();
    original = chain.rig.sandbox.path("large");
    writeNoise(original, GIB);
    mkdirSync(chain.rig.sandbox.path("small"));
    for (let i = 0; i < 20; i++) {
      writeFileSync(chain.rig.sandbox.path("small", `file${i}`), `content ${i}\n`);
    }
    const store = ["--store", `grpc+unix://${chain.a.socketPath}`];
    const imported = await chain.rig.sandbox.text(["import", ...store, "large", "small"]);
    [name = "", small = ""] = imported.split("\n").map((path) => basename(path));
    mount = await chain.mount();
  });

  afterAll(() => chain?.remove());

  /** Reads a page through the mount, which must be right. */
  async function readPage(offset: number): Promise<void> {
    const bytes = await readApart(join(mount.path, name), offset, LENGTH);
    expect(bytes.equals(readAt(original, offset, LENGTH))).toBe(true);
  }

  it("reads a page of a file of 1 GiB for less than 1 MiB on the wire", async () => {
    const { ab, bc } = await chain.moved(() => readPage(OFFSET));
    process.stderr.write(`4 KiB of 1 GiB: ${ab} bytes from A to B, ${bc} from B to C\n`);
    for (const bytes of [ab, bc]) {
      expect(bytes).toBeLessThan(PAGE_LIMIT);
      expect(bytes).toBeGreaterThan(LENGTH);
    }
  });

  it("reads it again for nothing, from a new mount, too", async () => {
    await chain.rig.sandbox.text(["unmount", mount.path]);
    mount = await chain.mount();
    const { ab, bc } = await chain.moved(() => readPage(OFFSET));
    expect(Math.max(ab, bc)).toBeLessThan(SMALL_TALK);
  });

  it("goes on when B is started again, and B still has what it read", async () => {
    await shellText('cat "$1"/*', join(mount.path, small));
    await chain.restartB();
    const store = ["--store", `grpc+unix://${chain.b.socketPath}`];
    const { ab } = await chain.moved(async () => {
      expect(await chain.rig.sandbox.text(["tree", ...store, small])).toContain("file19");
      expect(await chain.rig.sandbox.text(["cat", ...store, `${small}/file7`])).toBe("content 7");
    });
    expect(ab).toBeLessThan(SMALL_TALK);
    await readPage(OFFSET + 100 * MIB);
  });

  it("has what was read when A is gone, and says at once that it has not the rest", async () => {
    await chain.killA();
    await readPage(OFFSET);
    expect(await shellText('cat "$1/file7"', join(mount.path, small))).toBe("content 7\n");

    const begin = performance.now();
    await expect(readApart(join(mount.path, name), 5 * MIB, LENGTH)).rejects.toThrow(
      /Input\/output error/,
    );
    expect(performance.now() - begin).toBeLessThan(AT_ONCE_MS);
    const store = ["--store", `grpc+unix://${chain.b.socketPath}`];
    const never = await chain.rig.sandbox.run(["info", ...store, `${"1".repeat(32)}-never-seen`]);
    expect(never.status).toBe(1);
    expect(never.stderr).toMatch(/unavailable|cannot reach|connect/i);
  });

  it("recovers when A is back", async () => {
    await chain.reviveA();
    await until(async () => {
      const page = await readApart(join(mount.path, name), 5 * MIB, LENGTH).catch(() => undefined);
      return page?.equals(readAt(original, 5 * MIB, LENGTH)) === true;
    });
  });
});
