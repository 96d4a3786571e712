import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildSample } from "./sample.js";
import { Sandbox } from "./tvix.js";

let sandbox: Sandbox;
let storePath: string;

beforeAll(async () => {
  sandbox = await Sandbox.create();
  buildSample(sandbox.path("sample"));
  storePath = await sandbox.text(["import", "--no-compression", "sample"]);
  await sandbox.text(["import", "sample/README"]);
});

afterAll(async () => {
  await sandbox.remove();
});

/** Flips a bit in the middle of the largest file of the sample. */
function flipBit(): void {
  const packs = sandbox.path("data", "packs");
  const [pack = ""] = readdirSync(packs);
  const fd = openSync(`${packs}/${pack}`, "r+");
  const middle = Math.floor(statSync(`${packs}/${pack}`).size / 2);
  const byte = new Uint8Array(1);
  readSync(fd, byte, 0, 1, middle);
  writeSync(fd, Uint8Array.of((byte[0] ?? 0) ^ 0x10), 0, 1, middle);
  closeSync(fd);
}

describe("a store with a flipped bit", () => {
  beforeAll(flipBit);

  it("is found out by check, with status 4 and names", async () => {
    const { status, stdout, stderr } = await sandbox.run(["check"]);
    expect(status).toBe(4);
    expect(stdout.toString()).toMatch(/b3:[0-9A-Za-z+/]{43}=/);
    expect(stdout.toString()).toMatch(/\.pack/);
    expect(stderr).toMatch(/^\d+ problems? found in /);
  });

  it("is found out by check --json", async () => {
    const { status, stdout } = await sandbox.run(["check", "--json", "-q"]);
    expect(status).toBe(4);
    const [first = ""] = stdout.toString().split("\n");
    expect(JSON.parse(first)).toMatchObject({
      type: "record",
      subject: expect.stringMatching(/^b3:/),
      pack: expect.stringMatching(/\.pack$/),
      message: expect.any(String),
    });
  });

  it.each([
    ["cat", "big"],
    ["nar dump", ""],
  ])("ends %s with status 4 and no wrong byte", async (command, inner) => {
    const { status, stdout, stderr } = await sandbox.run([
      ...command.split(" "),
      `${storePath}/${inner}`,
    ]);
    expect(status).toBe(4);
    expect(stderr).toMatch(/^tvix: [^\n]+\n$/);
    expect(stdout.length).toBeLessThan(700_000);
  });

  it("goes on to serve what is sound", async () => {
    expect(await sandbox.text(["cat", storePath, "README"])).toBe("read me");
    expect(await sandbox.text(["ls", storePath, "include"])).toContain("stdio.h");
  });
});
