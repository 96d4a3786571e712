import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SigningKey } from "@tvix/store";
import { startServer } from "../grpc/server-process.js";
import { describeMachine } from "../machine.js";
import { cleanEnvironment } from "../operations/tool.js";
import type { BenchOptions } from "../options.js";
import { TVIX } from "../paths.js";
import { type Command, measure } from "../process/measure.js";
import { sync } from "../process/sync.js";
import type { RunHost } from "../run-host.js";
import { Scratch } from "../scratch.js";
import { DelayingProxy } from "./delaying-proxy.js";
import { storeClosure } from "./generated-closure.js";
import { type Distance, type LatencyRow, type LatencyRun, ROUND_TRIP_MS } from "./latency-run.js";

const PATHS = 200;
const FILES_PER_PATH = 100;
const KEY = SigningKey.of("closure-1", new Uint8Array(32).fill(7));
const TRUST: readonly string[] = ["--trusted-public-keys", String(KEY.publicKey)];

/** What is measured, in this order: each finds what the one before has left. */
const TITLES = {
  send: "`tvix copy local:///… grpc+http://…`",
  sendAgain: "the same again: all is there",
  take: "`tvix copy grpc+http://… local:///…`",
  import: "`tvix import --store grpc+http://…`, 200 directories",
} as const;

type Work = keyof typeof TITLES;

/** Where everything is. */
interface Materials {
  readonly folder: string;
  /** A store that holds the closure. */
  readonly source: string;
  /** The path of the closure that refers to all others. */
  readonly last: string;
  /** Directories to import. */
  readonly trees: readonly string[];
  readonly host: RunHost;
}

/** Copies and imports 200 paths with 20,000 files over a line without delay, and over one with. */
export async function runLatency(options: BenchOptions, host: RunHost): Promise<LatencyRun> {
  using scratch = new Scratch(options);
  const machine = describeMachine(scratch.folder);
  const source = join(scratch.folder, "source");
  host.say("Making a closure of 200 paths with 20,000 files");
  const closure = { paths: PATHS, filesPerPath: FILES_PER_PATH, key: KEY };
  const last = String(await storeClosure(source, closure));
  const trees = makeTrees(join(scratch.folder, "trees"));
  const rows = new Map<Work, LatencyRow>(
    (Object.keys(TITLES) as Work[]).map((work) => [work, emptyRow(TITLES[work])]),
  );
  for (let round = 0; round < options.runs; round++) {
    for (const distance of ["here", "far"] as const) {
      const folder = join(scratch.folder, `${distance}-${round}`);
      mkdirSync(folder);
      const materials = { folder, source, last, trees, host };
      await runRound(rows, distance, materials);
      scratch.remove(folder);
    }
  }
  const date = new Date().toISOString();
  const { command, runs } = options;
  const files = PATHS * FILES_PER_PATH;
  const all = [...rows.values()];
  return { kind: "latency", date, command, runs, machine, paths: PATHS, files, rows: all };
}

function emptyRow(title: string): LatencyRow {
  const figures = () => ({ seconds: [], sentBytes: 0, receivedBytes: 0 });
  return { title, here: figures(), far: figures() };
}

/** Directories of files as {@link storeClosure} has them. */
function makeTrees(folder: string): string[] {
  return Array.from({ length: PATHS }, (_, i) => {
    const tree = join(folder, `tree-${i}`);
    mkdirSync(tree, { recursive: true });
    for (let k = 0; k < FILES_PER_PATH; k++) {
      writeFileSync(join(tree, `file-${k}`), `${i} ${k}\n`.repeat(20 + ((i * 7 + k) % 300)));
    }
    return tree;
  });
}

async function runRound(
  rows: ReadonlyMap<Work, LatencyRow>,
  distance: Distance,
  materials: Materials,
): Promise<void> {
  const { folder, source, last, trees, host } = materials;
  const listen = ["--listen", "127.0.0.1:0", "--log-format", "json"];
  const data = join(folder, "served");
  const server = await startServer(
    tvix(folder, ["daemon", "--data-dir", data, ...listen]),
    host.signal,
  );
  const [name = "", port = ""] = server.address.split(":");
  const work = async (what: Work, args: (address: string) => readonly string[]): Promise<void> => {
    const delayMs = distance === "here" ? 0 : ROUND_TRIP_MS / 2;
    await using proxy = await DelayingProxy.listen({ host: name, port: Number(port) }, { delayMs });
    await sync(host.signal);
    const command = tvix(folder, args(`grpc+http://127.0.0.1:${proxy.port}`));
    const { wallSeconds } = await measure(command, { stdout: "discard", signal: host.signal });
    host.say(`${distance}: ${TITLES[what]}: ${wallSeconds.toFixed(2)} s`);
    const figures = rows.get(what)?.[distance];
    figures?.seconds.push(wallSeconds);
    if (figures !== undefined) {
      figures.sentBytes = proxy.bytesUp;
      figures.receivedBytes = proxy.bytesDown;
    }
  };
  try {
    const send = (address: string) => ["copy", `local://${source}`, address, last, ...TRUST];
    await work("send", send);
    await work("sendAgain", send);
    const target = `local://${join(folder, "target")}`;
    await work("take", (address) => ["copy", address, target, last, ...TRUST]);
    await work("import", (address) => ["import", "--store", address, ...trees]);
  } finally {
    await server.stop();
  }
}

/** The command, with caches that go with the folder. */
function tvix(folder: string, args: readonly string[]): Command {
  const env = cleanEnvironment({ XDG_CACHE_HOME: join(folder, "cache") });
  return { program: TVIX, args, env };
}
