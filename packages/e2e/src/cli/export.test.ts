import { execFileSync } from "node:child_process";
import { lstatSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildSample } from "./sample.js";
import { noise, TREES } from "./trees.js";
import { Sandbox } from "./tvix.js";
import { until } from "./until.js";

/** Of the system. */
const DIFF = "diff";

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await Sandbox.create();
  mkdirSync(sandbox.path("trees"));
  mkdirSync(sandbox.path("out"));
});

afterAll(async () => {
  await sandbox?.remove();
});

/** Fails unless both are the same, byte for byte, and so are their links and executable bits. */
function expectSame(a: string, b: string): void {
  execFileSync(DIFF, ["-r", "--no-dereference", a, b], { stdio: ["ignore", "pipe", "pipe"] });
  const executables = (at: string) =>
    execFileSync("find", [at, "-type", "f", "-perm", "-u+x", "-printf", "%P\\0"]).toString(
      "latin1",
    );
  expect(executables(a).split("\0").sort()).toEqual(executables(b).split("\0").sort());
}

describe("tvix export", () => {
  // A gigabyte of zeros takes long to write.
  const trees = TREES.map((tree, i) => [tree.about, i] as const).filter(
    ([about]) => !about.includes("1 GiB"),
  );
  it.each(trees)("gives back %s", async (_, i) => {
    const tree = TREES[i];
    if (tree === undefined) throw new Error("There is no such tree");
    const source = sandbox.path("trees", String(i));
    tree.build(source);
    const path = await sandbox.text(["import", "--name", "tree", source]);
    const out = sandbox.path("out", String(i));
    const { status, stderr } = await sandbox.run(["export", "--writable", path, out]);
    expect([status, stderr]).toEqual([0, expect.stringMatching(/^exported \d[\d,]* entr/)]);
    expectSame(source, out);
    expect(await sandbox.text(["import", "--name", "tree", out])).toBe(path);
  });

  it("exports what lies inside, and what a digest stands for", async () => {
    buildSample(sandbox.path("sample"));
    const path = await sandbox.text(["import", "sample"]);
    const { content } = JSON.parse(await sandbox.text(["info", "--json", path]));
    const json = JSON.parse(
      await sandbox.text(["export", "--json", content.digest, sandbox.path("by-digest")]),
    );
    expect(json).toMatchObject({ path: sandbox.path("by-digest"), root: content });
    expectSame(sandbox.path("sample"), sandbox.path("by-digest"));
    await sandbox.text(["export", "-q", path, "run", "one"]);
    expectSame(sandbox.path("sample", "run"), sandbox.path("one"));
  });

  it("says what is in the way, and leaves it", async () => {
    const path = await sandbox.text(["import", "sample"]);
    writeFileSync(sandbox.path("taken"), "kept");
    const cases: readonly [readonly string[], number, RegExp][] = [
      [[path, "taken"], 1, /cannot export to ".*taken": there is something already/],
      [[path, "nowhere/out"], 1, /no such directory to put it into/],
      [[`/nix/store/${"0".repeat(32)}-x`, "new"], 3, /is not in the store/],
      [[path], 2, /export needs|TARGET/],
    ];
    for (const [words, status, message] of cases) {
      const outcome = await sandbox.run(["export", ...words]);
      expect([outcome.status, outcome.stderr]).toEqual([status, expect.stringMatching(message)]);
    }
    expect(lstatSync(sandbox.path("taken")).size).toBe(4);
  });

  it("leaves nothing after Ctrl-C", async () => {
    mkdirSync(sandbox.path("many"));
    for (let i = 0; i < 40; i++) writeFileSync(sandbox.path("many", `${i}`), noise(4_000_000, i));
    const path = await sandbox.text(["import", "many"]);
    mkdirSync(sandbox.path("place"));
    const running = sandbox.start(["export", path, sandbox.path("place", "out")]);
    await until(() => readdirSync(sandbox.path("place")).length > 0);
    running.child.kill("SIGINT");
    expect((await running.outcome).status).toBe(130);
    expect(readdirSync(sandbox.path("place"))).toEqual([]);
    rmSync(sandbox.path("many"), { recursive: true });
  });
});
