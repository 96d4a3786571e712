import { mkdirSync, writeFileSync } from "node:fs";
import { basename } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { noise } from "../cli/trees.js";
import { type Outcome, Sandbox } from "../cli/tvix.js";
import { pythonMissing } from "../daemon/python-client.js";
import { type Lie, ReferenceServer } from "./reference-server.js";

const LARGE = noise(700_000, 3);

let sandbox: Sandbox;
let server: ReferenceServer;
let name: string;

beforeAll(async () => {
  if (pythonMissing !== undefined) return;
  sandbox = await Sandbox.create();
  server = await ReferenceServer.start();
  mkdirSync(sandbox.path("tree/a/b/c"), { recursive: true });
  writeFileSync(sandbox.path("tree/a/b/c/file"), "content");
  writeFileSync(sandbox.path("tree/large"), LARGE);
  writeFileSync(sandbox.path("other"), "another path\n");
  const words = ["import", "--directory-size-rule", "doubled", "--store", server.address];
  name = basename(await sandbox.text([...words, "tree"]));
  await sandbox.text([...words, "other"]);
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await sandbox?.remove();
});

/** Runs a command against the server. */
function run(...words: readonly string[]): Promise<Outcome> {
  return sandbox.run([...words, "--store", server.address]);
}

describe.skipIf(pythonMissing !== undefined)("a store that lies", () => {
  beforeEach(() => server.tell(""));

  it.each<Lie>([
    "chunks-of-others",
    "chunks-too-long",
    "wrong-bytes",
    "truncated-blob",
    "endless-blob",
    "slow-drip",
    "wrong-directory",
    "other-path",
  ])("gives no wrong byte: %s", async (lie) => {
    await server.tell(lie);
    const { status, stdout, stderr } = await run("cat", `${name}/large`);
    expect(stderr).not.toBe("");
    expect(status).not.toBe(0);
    // What was given out before the lie came to light is right.
    expect(stdout.equals(LARGE.subarray(0, stdout.byteLength))).toBe(true);
    expect(stdout.byteLength).toBeLessThan(LARGE.byteLength);
  });

  it.each<Lie>(["wrong-directory", "other-path"])("shows no wrong tree: %s", async (lie) => {
    await server.tell(lie);
    const { status, stderr } = await run("nar", "dump", name);
    expect(status, stderr).not.toBe(0);
  });

  it("tells the truth again, and is believed", async () => {
    await server.tell("wrong-bytes");
    await run("cat", `${name}/large`);
    await server.tell("");
    const { status, stdout } = await run("cat", `${name}/large`);
    expect(status).toBe(0);
    expect(stdout.equals(LARGE)).toBe(true);
  });
});
