import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOutput, nixMissing, ScratchNix } from "./nix.js";
import { Sandbox, TVIX } from "./tvix.js";

const REPOSITORY = fileURLToPath(new URL("../../../../", import.meta.url));

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

const hasGit = existsSync(`${REPOSITORY}.git`);

describe.skipIf(nixMissing !== undefined)("tvix and the real Nix", () => {
  it.each(["/usr/include", "/usr/share"].filter(existsSync))("agree on %s", async (path) => {
    await agreeOn(path);
  });

  it("agree on the node_modules of this repository", async () => {
    await agreeOn(`${REPOSITORY}node_modules`);
  });

  it.skipIf(!hasGit)("agree on a git checkout", async () => {
    const checkout = sandbox.path("checkout");
    execFileSync("git", ["clone", "--quiet", "--no-hardlinks", REPOSITORY, checkout]);
    await agreeOn(checkout);
  });

  it("agree again when nothing has changed, and nothing is written", async () => {
    const expected = await nix.add("/usr/include");
    const { stdout } = await sandbox.run(["import", "--json", "/usr/include"]);
    const result = JSON.parse(stdout.toString());
    expect(result).toMatchObject({ storePath: expected, new: { objects: 0, bytes: 0 } });
  });

  it("is sound after all of this", async () => {
    const { status, stdout } = await sandbox.run(["check"]);
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 0, stdout: "" });
  });
});

async function agreeOn(path: string): Promise<void> {
  const expected = await nix.add(path);
  expect(await sandbox.text(["import", path])).toBe(expected);
  // The copy that Nix made does not change under our hands, as the original may.
  const copy = nix.realPath(expected);
  const [dumped, fromStore] = await Promise.all([
    nix.dump(copy),
    digestOutput(TVIX, ["nar", "dump", expected], sandbox.env),
  ]);
  expect(fromStore).toEqual(dumped);
  expect(await digestOutput(TVIX, ["nar", "dump", copy], sandbox.env)).toEqual(dumped);
}
