import { constants, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildSample } from "./sample.js";
import { noise } from "./trees.js";
import { Sandbox } from "./tvix.js";
import { until } from "./until.js";

const FILES = 6000;

let sandbox: Sandbox;
let samplePath: string;

/** A tree that takes some seconds to import. */
function buildLargeTree(path: string, seed: number): void {
  for (let i = 0; i < FILES; i++) {
    if (i % 100 === 0) mkdirSync(join(path, `d${i / 100}`), { recursive: true });
    writeFileSync(join(path, `d${Math.floor(i / 100)}`, `f${i}`), noise(20_000, seed + i));
  }
}

/** Bytes in the packs of the store. */
function packBytes(): number {
  try {
    const packs = sandbox.path("data", "packs");
    return readdirSync(packs).reduce((sum, name) => sum + statSync(join(packs, name)).size, 0);
  } catch {
    return 0;
  }
}

/** Starts an import and waits until it is in the middle of writing. */
async function startImport(tree: string) {
  const before = packBytes();
  const running = sandbox.start(["import", tree]);
  await until(() => packBytes() > before + 5_000_000);
  return running;
}

beforeAll(async () => {
  sandbox = await Sandbox.create();
  buildSample(sandbox.path("sample"));
  samplePath = await sandbox.text(["import", "sample"]);
  for (const [index, name] of ["one", "two", "three", "four", "five", "six"].entries()) {
    buildLargeTree(sandbox.path(name), 1 + index * FILES);
  }
});

afterAll(async () => {
  await sandbox.remove();
});

afterEach(() => {
  sandbox.killAll();
});

describe("while an import is at work", () => {
  it("readers are not held up, and another import waits and says for whom", async () => {
    const first = await startImport("one");
    // As long as it is stopped it cannot get ready before the others have had their turn.
    first.child.kill("SIGSTOP");
    const second = sandbox.start(["import", "--name", "second", "sample/README"]);
    await until(() => second.stderr() !== "");
    expect(second.stderr()).toMatch(
      new RegExp(`^tvix: waiting for process ${first.child.pid} \\(tvix import one\\)`),
    );
    expect(await sandbox.text(["ls", samplePath])).toContain("README");
    expect(await sandbox.text(["cat", samplePath, "README"])).toBe("read me");
    expect(await sandbox.text(["info"])).toContain("store paths");
    expect(second.child.exitCode).toBeNull();
    first.child.kill("SIGCONT");
    expect(await first.outcome).toMatchObject({ status: 0 });
    const { status, stdout } = await second.outcome;
    expect(status).toBe(0);
    expect(stdout.toString()).toMatch(/-second\n$/);
  });

  it("Ctrl-C ends one that waits, and the other goes on", async () => {
    const first = await startImport("two");
    first.child.kill("SIGSTOP");
    const second = sandbox.start(["import", "--name", "third", "sample/README"]);
    await until(() => second.stderr().includes("waiting"));
    second.child.kill("SIGINT");
    expect(await second.outcome).toMatchObject({ status: 130 });
    first.child.kill("SIGCONT");
    expect(await first.outcome).toMatchObject({ status: 0 });
  });
});

describe("Ctrl-C during an import", () => {
  it("leaves the store sound, and the next import goes on from there", async () => {
    const running = await startImport("three");
    running.child.kill("SIGINT");
    const { status, stdout, stderr } = await running.outcome;
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 130, stdout: "" });
    expect(stderr).toMatch(
      /^tvix: interrupted by SIGINT; .*the same command goes on from there\n$/,
    );

    const check = await sandbox.run(["check"]);
    expect({ status: check.status, stdout: check.stdout.toString() }).toEqual({
      status: 0,
      stdout: "",
    });

    const again = await sandbox.run(["import", "--json", "three"]);
    const result = JSON.parse(again.stdout.toString());
    expect(result.known.objects).toBeGreaterThan(0);
    expect(result.new.objects + result.known.objects).toBeGreaterThanOrEqual(FILES);
    const fresh = { TVIX_DATA_DIR: sandbox.path("fresh") };
    expect(result.storePath).toBe(await sandbox.text(["import", "three"], { env: fresh }));
  });

  it("ends at once the second time", async () => {
    const running = await startImport("four");
    running.child.kill("SIGINT");
    running.child.kill("SIGINT");
    const { status, signal } = await running.outcome;
    expect(status === 130 || signal === "SIGINT").toBe(true);
    const check = await sandbox.run(["check"]);
    expect({ status: check.status, stdout: check.stdout.toString() }).toEqual({
      status: 0,
      stdout: "",
    });
  });

  it.each([
    ["SIGTERM", 143, "five"],
    ["SIGHUP", 129, "six"],
  ] as const)("works like %s", async (name, expected, tree) => {
    const running = await startImport(tree);
    running.child.kill(name);
    expect(await running.outcome).toMatchObject({ status: expected });
  });
});

describe("Ctrl-C during output", () => {
  it("ends a command whose reader does not read", async () => {
    const { stdout } = await sandbox.run(["import", "sample/big"]);
    const big = stdout.toString().trimEnd();
    const running = sandbox.start(["cat", big]);
    running.child.stdout?.pause();
    await until(() => (running.child.stdout?.readableLength ?? 0) > 0);
    if (process.platform === "linux") {
      // A pipe that takes part of each write only makes everything wait for timers: a hundred times slower.
      const flags = /^flags:\s+([0-7]+)$/m.exec(
        readFileSync(`/proc/${running.child.pid}/fdinfo/1`, "utf8"),
      );
      expect(Number.parseInt(flags?.[1] ?? "", 8) & constants.O_NONBLOCK).toBe(0);
    }
    running.child.kill("SIGINT");
    running.child.once("exit", () => running.child.stdout?.resume());
    const { status, signal } = await running.outcome;
    expect(status === 130 || signal === "SIGINT").toBe(true);
  });
});
