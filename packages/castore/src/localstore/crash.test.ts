import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toHex } from "../bytes.js";
import { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import { blake3 } from "../hasher/blake3.js";
import { readAll } from "../testing/expectations.js";
import { SeededRandom } from "../testing/seeded-random.js";
import { type PackFault, type PowerLoss, SimulatedCrash } from "../testing/simulated-pack-files.js";
import { type IndexState, SimulatedStore } from "../testing/simulated-store.js";
import { collect } from "../testing/sources.js";
import { encodeDirectory } from "../wire/directory-codec.js";
import { loadZstd } from "./compression.js";
import { LocalStore } from "./local-store.js";
import { RecordKind } from "./pack-format.js";
import type { WriteSession } from "./write-session.js";

const zstd = await loadZstd();

/** Durability is simulated here, so the files may lie in memory where the system has such a place. */
const SCRATCH = fs.existsSync("/dev/shm") ? "/dev/shm" : os.tmpdir();

let scratch: string;
beforeEach(() => {
  scratch = fs.mkdtempSync(path.join(SCRATCH, "tvix-crash-"));
});
afterEach(() => {
  fs.rmSync(scratch, { recursive: true, force: true });
});

/** One life of the process that writes: what goes wrong, and what is left when it has ended. */
interface Life {
  readonly fault: PackFault | undefined;
  readonly faultAt: number;
  readonly groups: number;
  readonly powerLoss: PowerLoss | undefined;
  readonly index: IndexState;
}

const CASES_PER_PART = 30;

const FAULTS = ["crash", "crash", "ENOSPC", "EIO", undefined] as const;
const INDEX_STATES = ["last", "last", "earlier", "gone", "garbage"] as const;
const POWER_LOSSES = [undefined, "nothing", "whole", "pages", "bytes", "zeros"] as const;

function planLife(random: SeededRandom): Life {
  const type = random.pick(FAULTS);
  const share = random.pick([0, 0.3, 0.7, 1]);
  return {
    fault: type && { type, share },
    faultAt: random.below(random.pick([3, 12, 40])),
    groups: 1 + random.below(6),
    powerLoss: random.pick(POWER_LOSSES),
    index: random.pick(INDEX_STATES),
  };
}

function live(store: SimulatedStore, life: Life, random: SeededRandom): void {
  const { disk } = store;
  disk.fault = (index) => (index === life.faultAt ? life.fault : undefined);
  const session = attempt(store, () => store.open());
  for (let i = 0; session !== undefined && i < life.groups; i++) {
    const written = attempt(store, () => {
      store.write(session, store.plan());
      return true;
    });
    if (written !== undefined) continue;
    expectNothingAccepted(store, session);
    break;
  }
  store.end(life.index);
  if (life.powerLoss !== undefined) disk.losePower(random, life.powerLoss);
}

/** Runs `action`; it may only fail with a typed error, or because the process has ended. */
function attempt<T>(store: SimulatedStore, action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (store.disk.crashed) return undefined;
    if (error instanceof SimulatedCrash) throw error;
    if (!CastoreError.is(error, "STORAGE")) throw error;
    expect(error.message).toMatch(/^Cannot (write to|open) the store: (ENOSPC|EIO): simulated/);
    return undefined;
  }
}

function expectNothingAccepted(store: SimulatedStore, session: WriteSession): void {
  if (store.disk.crashed) return;
  expect(() => session.write([{ records: new Uint8Array(0) }])).toThrow(CastoreError);
}

/** Everything acknowledged is there, and nothing is there that is not sound. */
async function expectSound(store: SimulatedStore): Promise<void> {
  store.materialize();
  await using local = await LocalStore.open(store.layout.directory, { readOnly: true });
  expect(await collect(local.check())).toEqual([]);
  for (const { kind, key, raw } of store.acknowledged.values()) {
    if (kind === RecordKind.PATH_INFO) continue;
    const digest = B3Digest.fromBytes(key);
    if (kind === RecordKind.DIRECTORY) {
      const directory = await local.directories.get(digest);
      expect(directory && toHex(encodeDirectory(directory))).toBe(toHex(raw));
    } else {
      const bytes = await readAll(local.blobs, digest);
      expect(blake3(bytes).equals(digest)).toBe(true);
    }
  }
  await expectPathInfos(store, local);
}

/** A path info is the last one that was acknowledged, or a later one that had been asked for. */
async function expectPathInfos(store: SimulatedStore, local: LocalStore): Promise<void> {
  const stored = new Map<string, string>();
  for await (const { key, value } of local.pathInfoRecords.list()) {
    stored.set(toHex(key), toHex(value));
  }
  const keys = new Set(stored.keys());
  for (const { kind, key } of store.acknowledged.values()) {
    if (kind === RecordKind.PATH_INFO) keys.add(toHex(key));
  }
  for (const key of keys) {
    const last = store.acknowledged.get(RecordKind.PATH_INFO + key);
    const allowed = [...(last ? [last.raw] : []), ...(store.attempted.get(key) ?? [])];
    expect(allowed.map(toHex)).toContain(stored.get(key));
  }
}

/** Two lives: the first fails at one operation, the second writes some of the same content again. */
function livesThatFailAt(faultAt: number, fault: PackFault): Life[][] {
  const healthy = { fault: undefined, faultAt: 0, groups: 3, powerLoss: "nothing" } as const;
  const ends: readonly Pick<Life, "powerLoss" | "index">[] = [
    { powerLoss: undefined, index: "last" },
    { powerLoss: "nothing", index: "last" },
    { powerLoss: "bytes", index: "last" },
    { powerLoss: undefined, index: "earlier" },
  ];
  return ends.map((end) => [
    { fault, faultAt, groups: 6, ...end },
    { ...healthy, index: end.index },
  ]);
}

/** Operations of most of six groups. */
const OPERATIONS = 28;

describe("a store whose process or machine fails", () => {
  it.each<PackFault>([
    { type: "crash", share: 0 },
    { type: "crash", share: 0.5 },
    { type: "crash", share: 1 },
    { type: "ENOSPC", share: 0.5 },
    { type: "EIO", share: 0 },
  ])(
    "keeps all that was acknowledged with $type at each operation, $share of it done",
    async (fault) => {
      for (let faultAt = 0; faultAt < OPERATIONS; faultAt++) {
        for (const lives of livesThatFailAt(faultAt, fault)) await runCase(faultAt, lives);
      }
    },
    60_000,
  );

  it.each(Array.from({ length: 10 }, (_, i) => i))(
    "keeps all that was acknowledged in whatever happens, part %s",
    async (part) => {
      for (let i = 0; i < CASES_PER_PART; i++) await runCase(part * CASES_PER_PART + i);
    },
    60_000,
  );
});

async function runCase(seed: number, given?: readonly Life[]): Promise<void> {
  const random = new SeededRandom(seed);
  const lives = given ?? Array.from({ length: 1 + random.below(3) }, () => planLife(random));
  const directory = fs.mkdtempSync(path.join(scratch, "case-"));
  const store = new SimulatedStore(path.join(directory, "store"), zstd, random);
  try {
    for (const life of lives) live(store, life, random);
    store.open();
    store.end("last");
    await expectSound(store);
    const indexed = store.indexedRecords();
    store.end("gone");
    store.open();
    store.end("last");
    expect(store.indexedRecords()).toEqual(indexed);
  } catch (cause) {
    throw new Error(`Case ${seed} failed: ${JSON.stringify(lives)}: ${cause}`, { cause });
  }
  fs.rmSync(directory, { recursive: true });
}
