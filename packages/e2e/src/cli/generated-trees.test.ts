import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOutput, nixMissing, ScratchNix } from "./nix.js";
import { REFUSALS } from "./refusals.js";
import { removeTree } from "./remove-tree.js";
import { TREES } from "./trees.js";
import { Sandbox, TVIX } from "./tvix.js";

let nix: ScratchNix;
let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await Sandbox.create();
  if (nixMissing === undefined) nix = await ScratchNix.create();
});

afterAll(async () => {
  await sandbox.remove();
  await nix?.remove();
});

describe.skipIf(nixMissing !== undefined)("tvix and the real Nix", () => {
  it("are compared over at least 30 trees", () => {
    expect(TREES.length).toBeGreaterThanOrEqual(30);
  });

  describe.each(TREES)("with $about", ({ name = "tree", suffix = "", build }) => {
    let argument: string;
    let path: string;
    let expected: string;

    beforeAll(async () => {
      path = sandbox.path(name);
      build(path);
      argument = path + suffix;
      expected = await nix.add(argument);
    });

    afterAll(async () => {
      for (const file of [path, `${path}.target`]) await removeTree(file);
    });

    it("agree on the store path, the NAR and its hash", async () => {
      const [result, dumped, fromDisk] = await Promise.all([
        sandbox.text(["import", "--json", argument]),
        nix.dump(argument),
        digestOutput(TVIX, ["nar", "dump", argument], sandbox.env),
      ]);
      const narHash = `sha256-${Buffer.from(dumped.sha256, "hex").toString("base64")}`;
      expect(JSON.parse(result)).toMatchObject({
        storePath: expected,
        narHash,
        narSize: dumped.bytes,
      });
      expect(fromDisk).toEqual(dumped);
      expect(await digestOutput(TVIX, ["nar", "dump", expected], sandbox.env)).toEqual(dumped);
    });
  });

  describe.each(REFUSALS)("with $about", ({ name = "tree", says, needsRoot = false, build }) => {
    it.skipIf(needsRoot && process.geteuid?.() !== 0)("both refuse", async () => {
      const path = sandbox.path(name);
      await build(path);
      await expect(nix.add(path)).rejects.toThrow(/error/);
      const { status, stdout, stderr } = await sandbox.run(["import", path]);
      expect([1, 2]).toContain(status);
      expect(stdout.toString()).toBe("");
      expect(stderr).toMatch(says);
      expect(stderr).toMatch(/^tvix: [^\n]+\n$/);
      await removeTree(path);
    });
  });

  it("is sound after all of this", async () => {
    const { status, stdout } = await sandbox.run(["check", "--nars"]);
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 0, stdout: "" });
  });
});
