import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { noise } from "../cli/trees.js";
import { pythonMissing } from "../daemon/python-client.js";
import { MountRig, NO_MOUNTS, shellText } from "../mount/mount-rig.js";
import { ReferenceServer } from "./reference-server.js";

/** Large enough for several chunks, small enough for BLAKE3 in Python. */
const LARGE_BYTES = 700_000;

let rig: MountRig;
let server: ReferenceServer;
let name: string;

beforeAll(async () => {
  if (pythonMissing !== undefined) return;
  rig = await MountRig.create();
  server = await ReferenceServer.start();
  buildTree(rig.sandbox.path("tree"));
});

afterEach(() => rig?.end());

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await rig?.remove();
});

/** Directories in Directories, whose sizes differ by rule. */
function buildTree(path: string): void {
  mkdirSync(join(path, "a/b/c"), { recursive: true });
  mkdirSync(join(path, "empty"));
  for (let i = 0; i < 20; i++) writeFileSync(join(path, `a/b/c/file${i}`), `content ${i % 7}`);
  writeFileSync(join(path, "a/large"), noise(LARGE_BYTES, 3));
  writeFileSync(join(path, "a/zero"), "");
  symlinkSync("a/large", join(path, "link"));
}

/** The words that lead to the server. */
function store(): string[] {
  return ["--store", server.address];
}

describe.skipIf(pythonMissing !== undefined)("a store that answers as the reference does", () => {
  it("takes an import with doubled sizes of directories", async () => {
    const embedded = await rig.sandbox.text(["import", "tree"]);
    const imported = await rig.sandbox.text([
      ...["import", "--directory-size-rule", "doubled"],
      ...[...store(), "tree"],
    ]);
    expect(imported).toBe(embedded);
    name = basename(imported);
  });

  it("refuses one with sizes as documented, and says why", async () => {
    const outcome = await rig.sandbox.run(["import", ...store(), "tree"]);
    expect(outcome).toMatchObject({ status: 1 });
    expect(outcome.stderr).toContain("wrong size");
    expect(outcome.stderr).toContain("--directory-size-rule doubled");
  });

  it("is read: info, tree, cat, NAR", async () => {
    const info = JSON.parse(await rig.sandbox.text(["info", "--json", ...store(), name]));
    const embedded = JSON.parse(await rig.sandbox.text(["info", "--json", name]));
    expect(info.narHash).toBe(embedded.narHash);
    expect(info.narSize).toBe(embedded.narSize);
    const drawn = await rig.sandbox.text(["tree", ...store(), name]);
    expect(drawn).toBe(await rig.sandbox.text(["tree", name]));
    const large = await rig.sandbox.run(["cat", ...store(), `${name}/a/large`]);
    expect(large.stdout.equals(readFileSync(rig.sandbox.path("tree/a/large")))).toBe(true);
    const nar = await rig.sandbox.run(["nar", "dump", ...store(), name]);
    expect(nar.stdout.equals((await rig.sandbox.run(["nar", "dump", name])).stdout)).toBe(true);
  });

  it("tells what it does not have", async () => {
    const missing = `${"1".repeat(32)}-missing`;
    const outcome = await rig.sandbox.run(["info", ...store(), missing]);
    expect(outcome).toMatchObject({ status: 3 });
  });

  it.skipIf(NO_MOUNTS)("is mounted", async () => {
    const mount = await rig.mount({ options: ["--list-root", ...store()] });
    const shown = join(mount.path, name);
    expect(
      await shellText('diff -r --no-dereference "$1" "$2"', rig.sandbox.path("tree"), shown),
    ).toBe("");
    expect(await shellText('ls "$1"', mount.path)).toBe(`${name}\n`);
  });

  it("is asked for the content of a large file once, in order", async () => {
    server.takeCalls();
    await rig.sandbox.run(["cat", ...store(), `${name}/a/large`]);
    expect(server.takeCalls().filter((method) => method === "Read")).toHaveLength(1);
  });
});
