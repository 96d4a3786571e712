import { mkdir, writeFile } from "node:fs/promises";
import { DelayingProxy, storeClosure } from "@tvix/bench/latency";
import { SigningKey } from "@tvix/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Sandbox } from "../cli/tvix.js";
import { type Daemon, startDaemon } from "./start-daemon.js";

const PATHS = 200;
const FILES_PER_PATH = 100;

/** One way, in milliseconds: a round trip takes twice that. How long that makes it all is seen by `pnpm bench latency`. */
const DELAY = 25;

/** Most bytes both ways when all paths are there already: some 600 for each. */
const NOTHING_NEW = 500_000;
const KEY = SigningKey.of("closure-1", new Uint8Array(32).fill(7));

let sandbox: Sandbox;
/** The path that refers to all others. */
let last: string;

beforeAll(async () => {
  sandbox = await Sandbox.create();
  const options = { paths: PATHS, filesPerPath: FILES_PER_PATH, key: KEY };
  last = String(await storeClosure(sandbox.path("source"), options));
});

afterAll(async () => {
  await sandbox?.remove();
});

/** What a command moved through a proxy, in bytes, and what it said. */
interface Moved {
  readonly bytes: number;
  readonly report: string;
}

async function through(
  { host, port }: Daemon,
  args: (address: string) => readonly string[],
): Promise<Moved> {
  await using proxy = await DelayingProxy.listen({ host, port }, { delayMs: DELAY });
  const env = { XDG_CACHE_HOME: sandbox.path("cache") };
  const outcome = await sandbox.run(args(`grpc+http://127.0.0.1:${proxy.port}`), { env });
  expect([outcome.status, outcome.stderr]).toEqual([0, expect.any(String)]);
  return { bytes: proxy.bytes, report: outcome.stderr };
}

describe("tvix copy of 200 paths with 20,000 files, 50 ms away", () => {
  const keys = ["--trusted-public-keys", String(KEY.publicKey)];

  it("sends them all, and then nothing", async () => {
    await using daemon = await startDaemon();
    const source = `local://${sandbox.path("source")}`;
    const send = (address: string) => ["copy", source, address, last, ...keys];
    expect((await through(daemon, send)).report).toMatch(/copied 200 paths/);
    const again = await through(daemon, send);
    expect(again.report).toMatch(/copied 0 paths.*200 there already/);
    expect(again.bytes).toBeLessThan(NOTHING_NEW);
  });

  it("takes them all, and then nothing", async () => {
    await using daemon = await startDaemon({ dataDirectory: sandbox.path("source") });
    const target = `local://${sandbox.path("target")}`;
    const take = (address: string) => ["copy", address, target, last, ...keys];
    expect((await through(daemon, take)).report).toMatch(/copied 200 paths/);
    const again = await through(daemon, take);
    expect(again.report).toMatch(/copied 0 paths.*200 there already/);
    expect(again.bytes).toBeLessThan(NOTHING_NEW);
  });
});

describe("tvix import of 200 paths with 20,000 files, 50 ms away", () => {
  it("stores them all", async () => {
    const sources: string[] = [];
    for (let i = 0; i < PATHS; i++) {
      const source = sandbox.path("trees", `tree-${i}`);
      sources.push(source);
      await mkdir(source, { recursive: true });
      for (let k = 0; k < FILES_PER_PATH; k++) {
        await writeFile(`${source}/file-${k}`, `${i} ${k}\n`.repeat(20 + ((i * 7 + k) % 300)));
      }
    }
    await using daemon = await startDaemon();
    const args = (address: string) => ["import", "--store", address, ...sources];
    expect((await through(daemon, args)).report).toMatch(/^imported 20,200 entries, /);
  });
});
