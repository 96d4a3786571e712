import { cp, mkdir, writeFile } from "node:fs/promises";
import { SigningKey } from "@tvix/store";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Sandbox } from "../cli/tvix.js";
import { DelayingProxy } from "../support/delaying-proxy.js";
import { storeClosure } from "../support/generated-closure.js";
import { type Daemon, startDaemon } from "./start-daemon.js";

const PATHS = 200;
const FILES_PER_PATH = 100;
/** One way, in milliseconds: a round trip takes twice that. */
const DELAY = 25;
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

/** What a command took through a proxy, in milliseconds and bytes. */
interface Measured {
  readonly ms: number;
  readonly bytes: number;
  readonly report: string;
}

async function through(
  daemon: Daemon,
  delayMs: number,
  args: (address: string) => readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Measured> {
  const { host, port } = daemon;
  await using proxy = await DelayingProxy.listen({ host, port }, { delayMs });
  const begin = performance.now();
  const outcome = await sandbox.run(args(`grpc+http://127.0.0.1:${proxy.port}`), { env });
  expect([outcome.status, outcome.stderr]).toEqual([0, expect.any(String)]);
  return { ms: performance.now() - begin, bytes: proxy.bytes, report: outcome.stderr };
}

describe("tvix copy of 200 paths with 20,000 files, 50 ms away", () => {
  it("sends them in three times the time that it takes without", async () => {
    const times: number[] = [];
    for (const delay of [0, DELAY]) {
      await using daemon = await startDaemon();
      const send = (address: string) => [
        "copy",
        `local://${sandbox.path("source")}`,
        address,
        last,
      ];
      const keys = ["--trusted-public-keys", String(KEY.publicKey)];
      const sent = await through(daemon, delay, (address) => [...send(address), ...keys]);
      expect(sent.report).toMatch(/copied 200 paths/);
      times.push(sent.ms);
      // What is there is not sent again.
      const again = await through(daemon, delay, (address) => [...send(address), ...keys]);
      expect(again.report).toMatch(/copied 0 paths.*200 there already/);
      expect(again.bytes).toBeLessThan(500_000);
    }
    expect(times[1]).toBeLessThan(3 * (times[0] as number));
  });

  it("takes them in three times the time that it takes without", async () => {
    await cp(sandbox.path("source"), sandbox.path("served"), { recursive: true });
    await using daemon = await startDaemon({ dataDirectory: sandbox.path("served") });
    const times: number[] = [];
    for (const delay of [0, DELAY]) {
      const target = `local://${sandbox.path(`target-${delay}`)}`;
      const keys = ["--trusted-public-keys", String(KEY.publicKey)];
      const taken = await through(daemon, delay, (address) => [
        ...["copy", address, target, last],
        ...keys,
      ]);
      expect(taken.report).toMatch(/copied 200 paths/);
      times.push(taken.ms);
    }
    expect(times[1]).toBeLessThan(3 * (times[0] as number));
  });
});

describe("tvix import of 200 paths with 20,000 files, 50 ms away", () => {
  it("takes at most three times as long as without", async () => {
    const sources: string[] = [];
    for (let i = 0; i < PATHS; i++) {
      const source = sandbox.path("trees", `tree-${i}`);
      sources.push(source);
      await mkdir(source, { recursive: true });
      for (let k = 0; k < FILES_PER_PATH; k++) {
        await writeFile(`${source}/file-${k}`, `${i} ${k}\n`.repeat(20 + ((i * 7 + k) % 300)));
      }
    }
    const times: number[] = [];
    for (const delay of [0, DELAY]) {
      await using daemon = await startDaemon();
      const env = { XDG_CACHE_HOME: sandbox.path(`cache-${delay}`) };
      const args = (address: string) => ["import", "--store", address, ...sources];
      const imported = await through(daemon, delay, args, env);
      expect(imported.report).toMatch(/^imported 20,200 entries, /);
      times.push(imported.ms);
    }
    expect(times[1]).toBeLessThan(3 * (times[0] as number));
  });
});
