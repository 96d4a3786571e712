import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { noise } from "../cli/trees.js";
import { Sandbox } from "../cli/tvix.js";

/** How many imports are killed. */
const KILLS = 50;

/** Every so many imports go into a data directory of their own: the first write makes a store. */
const FRESH_EVERY = 5;

/** Imports that may come to their end before they are killed. */
const MAX_IMPORTS = 2 * KILLS;

const SEED = 20_241_121;
const FILES = 2500;
const LARGE_BYTES = 30_000_000;

let sandbox: Sandbox;
/** Milliseconds that an import takes when nothing is there yet. */
let fullDuration = 0;
/** SHA-256 of the NAR of each store path that was printed. */
const acknowledged = new Map<string, string>();

/** Writes a tree whose files depend on `version`; one of them is large. */
function writeTree(version: number): void {
  const path = sandbox.path("tree");
  rmSync(path, { recursive: true, force: true });
  for (let i = 0; i < FILES; i++) {
    const directory = join(path, `d${i % 50}`);
    if (i < 50) mkdirSync(directory, { recursive: true });
    const seed = version * FILES + i;
    const content = i % 3 === 0 ? noise(i % 4000, seed) : `file ${seed}\n`.repeat(i % 200);
    writeFileSync(join(directory, `f${i}`), content);
  }
  const large = noise(LARGE_BYTES, version);
  large.fill(version, LARGE_BYTES / 3, LARGE_BYTES / 2);
  writeFileSync(join(path, "large"), large);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The NAR of a file tree or of a store path, as `tvix nar dump` writes it. */
async function narHash(path: string, data: string): Promise<string> {
  const { status, stdout, stderr } = await sandbox.run(["nar", "dump", path], {
    env: { TVIX_DATA_DIR: data },
  });
  expect(`${status} ${stderr}`).toBe("0 ");
  return sha256(stdout);
}

/** Imports the tree and kills that after `moment` milliseconds; what it had printed until then. */
async function importAndKill(
  data: string,
  moment: number,
): Promise<{ readonly killed: boolean; readonly printed: string }> {
  const running = sandbox.start(["import", "tree"], { env: { TVIX_DATA_DIR: data } });
  const ended = running.outcome.then(() => true);
  // Moments are what this test is about; there is nothing else to wait for.
  await Promise.race([ended, delay(moment)]);
  running.child.kill("SIGKILL");
  const { status, signal, stdout, stderr } = await running.outcome;
  if (signal === null) expect(`${status} ${stderr}`).toMatch(/^0 /);
  return { killed: signal === "SIGKILL", printed: stdout.toString("utf8").trimEnd() };
}

/** Bytes in the packs of a store. */
function packBytes(data: string): number {
  const packs = join(data, "packs");
  if (!existsSync(packs)) return 0;
  return readdirSync(packs).reduce((sum, name) => sum + statSync(join(packs, name)).size, 0);
}

async function expectSound(data: string): Promise<void> {
  // Killed before there was a store with something in it: the next import makes one.
  if (packBytes(data) === 0) return;
  const { status, stdout, stderr } = await sandbox.run(["check", "-q"], {
    env: { TVIX_DATA_DIR: data },
  });
  expect({ status, stdout: stdout.toString(), stderr }).toMatchObject({ status: 0, stdout: "" });
}

beforeAll(async () => {
  sandbox = await Sandbox.create();
  writeTree(0);
  const started = performance.now();
  const path = await sandbox.text(["import", "tree"]);
  fullDuration = performance.now() - started;
  acknowledged.set(path, await narHash("tree", sandbox.path("data")));
});

afterAll(async () => {
  await sandbox.remove();
});

it(`an import that is killed at ${KILLS} moments leaves a sound store and goes on from there`, async () => {
  const data = sandbox.path("data");
  const moments = new Uint32Array(noise(4 * MAX_IMPORTS, SEED).buffer);
  let version = 1;
  let kills = 0;
  writeTree(version);
  let expectedHash = await narHash("tree", data);

  for (let i = 0; kills < KILLS; i++) {
    expect(i).toBeLessThan(MAX_IMPORTS);
    const isFresh = i % FRESH_EVERY === 0;
    const target = isFresh ? sandbox.path("fresh") : data;
    const moment = ((moments[i] ?? 0) / 2 ** 32) * fullDuration;
    const { killed, printed } = await importAndKill(target, moment);
    if (killed) {
      kills++;
      await expectSound(target);
    }
    if (printed !== "") expect(await narHash(printed, target)).toBe(expectedHash);
    if (isFresh) {
      rmSync(target, { recursive: true, force: true });
    } else if (printed !== "") {
      acknowledged.set(printed, expectedHash);
      writeTree(++version);
      expectedHash = await narHash("tree", data);
    }
  }

  for (const [path, hash] of acknowledged) expect(await narHash(path, data)).toBe(hash);
  const path = await sandbox.text(["import", "tree"]);
  const env = { TVIX_DATA_DIR: sandbox.path("other") };
  expect(path).toBe(await sandbox.text(["import", "tree"], { env }));
  expect(await narHash(path, data)).toBe(expectedHash);
  await expectSound(data);
  expect(packBytes(data)).toBeGreaterThan(LARGE_BYTES);
});
