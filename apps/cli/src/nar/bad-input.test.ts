import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { concatBytes, toUtf8 } from "@tvix/castore";
import { NarEncoder } from "@tvix/store";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type LineOutcome, runLine } from "../testing/run-line.js";

/** The NAR of a directory with one file of that name. */
function narOf(name = "file", content = "content"): Uint8Array {
  const pieces: Uint8Array[] = [];
  const encoder = new NarEncoder((bytes) => pieces.push(bytes.slice()));
  encoder.beginDirectory();
  encoder.entry(toUtf8(name));
  encoder.beginFile(content.length, false);
  encoder.fileBytes(toUtf8(content));
  encoder.endFile();
  encoder.endDirectory();
  return concatBytes(pieces);
}

function edited(from: string, to: string): Uint8Array {
  const text = Buffer.from(narOf()).toString("latin1");
  if (!text.includes(from)) throw new Error(`No ${from}`);
  return new Uint8Array(Buffer.from(text.replace(from, to), "latin1"));
}

const GOOD = narOf();
const ZIPPED = new Uint8Array(gzipSync(narOf("file", "x".repeat(100_000))));

const NO_START = /NAR: it does not start as a NAR does/;

/** Files that are no NARs, and what is said of them. */
const BAD: readonly (readonly [what: string, content: Uint8Array, message: RegExp])[] = [
  ["nothing", new Uint8Array(0), /NAR: it ends before the archive begins/],
  ["a text", toUtf8("this is no archive, only a text that is long enough to look"), NO_START],
  ["a NAR without its end", GOOD.subarray(0, -1), /it was cut off/],
  ["half a NAR", GOOD.subarray(0, GOOD.byteLength / 2), /it was cut off/],
  [
    "a NAR and one byte more",
    concatBytes([GOOD, Uint8Array.of(0)]),
    /there is more after the archive/,
  ],
  ["two NARs", concatBytes([GOOD, GOOD]), /there is more after the archive/],
  ["a name that leads out", edited("file\0\0\0\0", "../x\0\0\0\0"), /cannot read NAR: .*name/],
  [
    "a length of 2^64-8",
    edited("\x07\0\0\0\0\0\0\0", "\xf8\xff\xff\xff\xff\xff\xff\xff"),
    /cannot read NAR: .*18446744073709551608/,
  ],
  [
    "padding that is not zero",
    edited("content\0", "content\x01"),
    /cannot read NAR: .*at byte \d+\n/,
  ],
  [
    "half of a compressed one",
    ZIPPED.subarray(0, ZIPPED.byteLength / 2),
    /cannot read gzip: unexpected end/,
  ],
  ["a compressed text", new Uint8Array(gzipSync("not a NAR at all, but text")), NO_START],
];

describe("commands for NARs", () => {
  let directory: string;
  let data: string;
  let runs = 0;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "tvix-nar-"));
  });

  beforeEach(() => {
    data = join(directory, `data-${runs++}`);
  });

  afterAll(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  async function file(content: Uint8Array): Promise<string> {
    const path = join(directory, `input-${runs}`);
    await writeFile(path, content);
    return path;
  }

  const line = (...words: readonly string[]): Promise<LineOutcome> => runLine(data, ...words);

  /** What a command line that fails writes: nothing but one line of reason. */
  function expectFailure(outcome: LineOutcome, status: number, message: RegExp): void {
    expect(outcome.stderr).toMatch(/^tvix: [^\n]+\n$/);
    expect(outcome.stderr).toMatch(message);
    expect([outcome.status, outcome.stdout]).toEqual([status, ""]);
  }

  it.each(BAD)("refuse %s, and import publishes nothing of it", async (_, content, message) => {
    const path = await file(content);
    for (const command of [
      ["nar", "ls"],
      ["nar", "ls", "--json"],
    ]) {
      expectFailure(await line(...command, path), 1, message);
    }
    for (const more of [[], ["--name", "x"], ["--json"]]) {
      expectFailure(await line("nar", "import", ...more, path), 1, message);
    }
    const { stdout } = await line("info", "--json");
    expect(JSON.parse(stdout)).toMatchObject({ storePaths: 0, directories: 0 });
  });

  it("take the one that is sound, compressed or not", async () => {
    for (const content of [GOOD, new Uint8Array(gzipSync(GOOD))]) {
      const path = await file(content);
      const imported = await line("nar", "import", "--name", "x", path);
      expect(imported.stdout).toMatch(/^\/nix\/store\/[0-9a-z]{32}-x\n$/);
      const listed = await line("nar", "ls", path);
      expect(listed.stdout).toMatch(/^dr-xr-xr-x +- +- \.\n-r--r--r-- +7 +\d+ \.\/file\n$/);
      expect(await line("nar", "ls", imported.stdout.trim())).toEqual(listed);
    }
  });

  it.each<[string, readonly string[], number, RegExp]>([
    ["a file that is not there", ["nosuch"], 3, /"nosuch": no such file/],
    ["a directory", ["."], 1, /cannot read "\.".*(EISDIR|directory)/],
    ["no file", [], 2, /needs FILE/],
    ["two files", ["a", "b"], 2, /takes FILE.*"b"/],
  ])("refuse %s", async (_, words, status, message) => {
    for (const command of ["import", "ls"]) {
      expectFailure(await line("nar", command, ...words), status, message);
    }
    expect(existsSync(data) && existsSync(join(data, "packs"))).toBe(false);
  });

  it.each(["sp ace", "a/b", "", "x.drv", "n".repeat(212)])(
    "import refuses the name %j",
    async (name) => {
      const path = await file(GOOD);
      expectFailure(await line("nar", "import", `--name=${name}`, path), 2, /option --name/);
      expect(existsSync(data)).toBe(false);
    },
  );

  it.each<[string, readonly string[], number, RegExp]>([
    ["without a name", ["--references-from", "store"], 2, /give it a --name/],
    [
      "from standard input twice",
      ["--name", "x", "--references-from", "-"],
      2,
      /standard input cannot be both/,
    ],
    [
      "to what is no path",
      ["--name", "x", "--references-from", "/nix/store/x"],
      2,
      /"\/nix\/store\/x" is no store path/,
    ],
  ])("import refuses references %s", async (_, words, status, message) => {
    expectFailure(await line("nar", "import", ...words, "-"), status, message);
  });

  it("import refuses what refers to a path that is not there, and finds one that is", async () => {
    await mkdir(join(directory, "other"), { recursive: true });
    const other = (await line("import", join(directory, "other"))).stdout.trim();
    const hash = "1".repeat(32);
    const unknown = await file(narOf("file", `see ${hash}`));
    const from = ["--references-from", `${hash}-x`];
    expectFailure(
      await line("nar", "import", "--name", "y", ...from, unknown),
      1,
      /it refers to \/nix\/store\/1+-x, which is not in the store: copy it there first/,
    );
    const known = await file(narOf("file", `see ${other}`));
    const args = ["nar", "import", "--name", "y", "--references-from", "store", known];
    const { stdout, stderr } = await line(...args);
    expect(stdout).toMatch(/^\/nix\/store\/[0-9a-z]{32}-y\n$/);
    expect(stderr).toBe(`refers to ${other}\n`);
    const json = JSON.parse((await line(...args, "--json")).stdout);
    expect(json).toMatchObject({ storePath: stdout.trim(), references: [other] });
  });

  it.each<[string, string, number, RegExp]>([
    ["a path that is not stored", `/nix/store/${"1".repeat(32)}-x`, 3, /not in the store/],
    ["a hash that is not stored", "1".repeat(32), 3, /not in the store/],
    ["a digest that is not stored", "0".repeat(64), 3, /.*/],
    ["a path that is none", "/nix/store/nonsense", 2, /cannot understand/],
    ["a path that climbs", `/nix/store/${"1".repeat(32)}-x/../y`, 2, /cannot understand/],
  ])("ls does not list %s", async (_, word, status, message) => {
    expectFailure(await line("nar", "ls", word), status, message);
  });
});
