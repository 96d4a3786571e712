import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SeededRandom } from "@tvix/castore/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { removeTree } from "../cli/remove-tree.js";
import { TVIX } from "../cli/tvix.js";
import { runProgram } from "../daemon/run.js";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import { drawMoments, type Moment, Tripwire, watchStore } from "./kill-moment.js";
import { type Round, sendInTime, type Upload, uploadAll } from "./upload.js";
import { Uploaders } from "./uploaders.js";

/** How often the daemon is killed while uploads are under way. */
const KILLS = 50;

/** Rounds that may end before their moment comes. */
const SPARE_ROUNDS = 10;

const SEED = 20_261_121;

/**
 * Every so many rounds the whole store is checked, once while there is no daemon and once by a daemon. Not
 * a multiple of the number of kinds of moments, so that each kind gets its turn.
 */
const CHECK_EVERY = 12;

/** Uploads that are read back at a time. */
const READS = 12;

/** Longest time from the death of the daemon to the end of all calls, in milliseconds: generous. */
const PATIENCE_MS = 10_000;

/**
 * The daemon has to come back to the port that the clients know. Nobody gets that port in between: what
 * the kernel hands out on its own is of 127.0.0.1.
 */
const HOST = "127.77.0.1";

let directory: string;
let dataDirectory: string;
let daemon: Daemon;
let uploaders: Uploaders;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "tvix-e2e-kill-"));
  dataDirectory = join(directory, "data");
  daemon = await startDaemon({ dataDirectory, args: ["--listen", `${HOST}:0`] });
  uploaders = new Uploaders(daemon);
});

afterEach(async () => {
  await uploaders?.close();
  await daemon?.[Symbol.asyncDispose]();
  await removeTree(directory);
});

/** Uploads until the moment has come; what had been acknowledged when all calls had ended. */
async function uploadAndKill(plan: readonly (readonly Upload[])[], moment: Moment): Promise<Round> {
  const tripwire = new Tripwire(moment, () => daemon.signal("SIGKILL"));
  using _ = watchStore(dataDirectory, tripwire);
  const round = await uploadAll(plan, tripwire);
  tripwire.kill();
  const lasted = performance.now() - (tripwire.killedAt ?? 0);
  expect(await daemon.exited).toEqual({ code: null, signal: "SIGKILL" });
  for (const { upload, error } of round.failures) {
    expect(error, `${upload.about}: ${error}`).toMatchObject(upload.unavailable);
  }
  expect(lasted).toBeLessThan(PATIENCE_MS);
  return round;
}

/** Calls that are made while there is no daemon. */
async function expectRefused(uploads: readonly Upload[]): Promise<void> {
  const refusals = uploads.map((upload) =>
    expect(sendInTime(upload)).rejects.toMatchObject(upload.unavailable),
  );
  await Promise.all(refusals);
}

/** In place of the one that was killed: takes over its socket. */
async function restart(): Promise<void> {
  const { port, socketPath } = daemon;
  daemon = await startDaemon({ dataDirectory, args: ["--listen", `${HOST}:${port}`] });
  expect(daemon).toMatchObject({ port, socketPath });
}

async function expectStored(uploads: readonly Upload[]): Promise<void> {
  for (let start = 0; start < uploads.length; start += READS) {
    const read = uploads.slice(start, start + READS).map(async (upload) => {
      expect(await upload.isStored(), `${upload.about} was acknowledged`).toBe(true);
    });
    await Promise.all(read);
  }
}

/** Uploads again what has failed. What is there of it must be what it is to be. */
async function retry(uploads: readonly Upload[]): Promise<void> {
  await Promise.all(uploads.map((upload) => upload.isStored()));
  await Promise.all(uploads.map((upload) => sendInTime(upload)));
}

/** By the daemon if there is one, else in the directory itself. */
async function expectSound(...args: readonly string[]): Promise<void> {
  const { status, stdout, stderr } = await runProgram(
    TVIX,
    ["check", "-q", "--data-dir", dataDirectory, ...args],
    { env: { XDG_CACHE_HOME: join(directory, "cache") } },
  );
  expect({ status, stdout: stdout.toString(), stderr }).toEqual({
    status: 0,
    stdout: "",
    stderr: "",
  });
}

/** What the moments have hit, over all rounds. */
class Tally {
  kills = 0;
  /** Before anything had been acknowledged. */
  early = 0;
  /** In the middle of a long blob. */
  halfway = 0;
  /** Uploads of each client that failed. */
  readonly failed: number[] = [];

  add({ acknowledged, failures }: Round, plan: readonly (readonly Upload[])[]): void {
    if (failures.length > 0) this.kills++;
    if (acknowledged.length === 0) this.early++;
    for (const { upload, sentBytes } of failures) {
      const isLong = upload.bytes >= 1_000_000;
      if (isLong && sentBytes > 0 && sentBytes < upload.bytes) this.halfway++;
    }
    plan.forEach((uploads, i) => {
      const hasFailed = failures.some(({ upload }) => uploads.includes(upload));
      this.failed[i] = (this.failed[i] ?? 0) + (hasFailed ? 1 : 0);
    });
  }
}

it(`a daemon that is killed at ${KILLS} moments loses nothing that it acknowledged`, async () => {
  const random = new SeededRandom(SEED);
  const all = (await uploaders.plan(0)).flat();
  const moments = drawMoments(random, KILLS + SPARE_ROUNDS, {
    bytes: all.reduce((sum, upload) => sum + upload.bytes, 0),
    uploads: all.length,
  });
  const tally = new Tally();
  const stored: Upload[] = [];
  let unread: readonly Upload[] = [];

  for (let i = 0; tally.kills < KILLS; i++) {
    expect(i).toBeLessThan(moments.length);
    const plan = await uploaders.plan(i);
    const round = await uploadAndKill(plan, moments[i] as Moment);
    tally.add(round, plan);
    const failed = round.failures.map(({ upload }) => upload);
    if (i % CHECK_EVERY === 5) {
      await expectRefused(failed);
      await expectSound();
    }
    await restart();
    const earlier = stored.length === 0 ? [] : [random.pick(stored), random.pick(stored)];
    await expectStored([...unread, ...round.acknowledged, ...earlier]);
    await retry(failed);
    stored.push(...unread, ...round.acknowledged);
    unread = failed;
    if (i % CHECK_EVERY === 8) await expectSound();
  }

  await expectStored([...stored, ...unread]);
  await expectSound("--nars");
  expect(tally.early).toBeGreaterThanOrEqual(5);
  expect(tally.halfway).toBeGreaterThanOrEqual(10);
  expect(Math.min(...tally.failed)).toBeGreaterThanOrEqual(5);
});
