import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Sandbox, TVIX } from "./tvix.js";

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await Sandbox.create();
  writeFileSync(sandbox.path("file"), "x");
  mkdirSync(sandbox.path("full"));
  writeFileSync(sandbox.path("full", "thesis.txt"), "x");
});

afterAll(async () => {
  await sandbox.remove();
});

describe("tvix", () => {
  it.each([
    ["nothing", [], /^tvix: no command: see tvix --help$/],
    ["a misspelt command", ["imprt", "file"], /did you mean "import"\?$/],
    ["a command of nix", ["add", "file"], /^tvix: unknown command "add"/],
    ["half a command", ["nar"], /tvix nar dump/],
    ["a misspelt option", ["import", "--dryrun", "file"], /did you mean --dry-run\?$/],
    ["an option without its value", ["import", "--name"], /--name NAME$/],
    ["an option with a value too many", ["import", "--json=1", "file"], /takes no value$/],
    ["import without a path", ["import"], /import needs PATH/],
    ["an empty path", ["import", ""], /names no file$/],
    ["a name for two paths", ["import", "--name", "x", "file", "file"], /for a single PATH/],
    ["a bad name", ["import", "--name", "a/b", "file"], /"\/" at position 1 may not occur/],
    ["the root directory", ["import", "/"], /its name is empty.*--name/],
    ["a directory that holds the store", ["import", "."], /the store itself is in it/],
    ["ls without a target", ["ls"], /ls needs TARGET/],
    ["ls of a file on disk", ["ls", "file"], /tvix import$/],
    ["ls of a directory on disk", ["ls", "/usr/include"], /tvix import$/],
    ["three arguments for ls", ["ls", "a", "b", "c"], /there is also "c"$/],
    ["a depth of nothing", ["tree", "-L", "0", "0".repeat(64)], /needs a number from 1/],
    [
      "formats that exclude each other",
      ["ls", "-l", "--json", "0".repeat(64)],
      /exclude each other/,
    ],
    ["an unknown shell", ["completion", "tcsh"], /there is bash, zsh, fish$/],
    ["an empty data directory", ["--data-dir=", "info"], /--data-dir needs a directory/],
    ["an escape sequence", ["\x1b[31m"], /^tvix: unknown command/],
  ])("refuses %s", async (_, args, message) => {
    const { status, stdout, stderr } = await sandbox.run(args);
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(stderr.trimEnd()).toMatch(message);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not get through
    expect(stderr).not.toMatch(/[\x00-\x09\x0b-\x1f]/);
    expect(existsSync(sandbox.path("data"))).toBe(false);
  });

  it.each([
    [
      "a directory of other things",
      () => ["--data-dir", "full", "import", "file"],
      /not empty and not a store/,
    ],
    ["a file", () => ["--data-dir", "file", "import", "file"], /EEXIST|ENOTDIR|not a directory/],
    [
      "a place below a file",
      () => ["--data-dir", "file/x", "import", "file"],
      /ENOTDIR|not a directory/,
    ],
  ])("refuses %s as its data directory", async (_, args, message) => {
    const { status, stdout, stderr } = await sandbox.run(args());
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^tvix: [^\n]+\n$/);
  });

  it("reads a store of another format not at all", async () => {
    mkdirSync(sandbox.path("future"));
    writeFileSync(sandbox.path("future", "FORMAT"), "tvix-store 999\n");
    const { status, stderr } = await sandbox.run(["--data-dir", "future", "info"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/format 999.*newer version of tvix/);
  });

  it("names a file that it may not read", async (context) => {
    if (process.geteuid?.() === 0) return context.skip("root may read every file");
    mkdirSync(sandbox.path("secret"));
    writeFileSync(sandbox.path("secret", "key"), "x");
    chmodSync(sandbox.path("secret", "key"), 0);
    const { status, stderr } = await sandbox.run(["import", "secret"]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/secret\/key/);
  });

  it("shows where an error comes from with TVIX_DEBUG=1", async () => {
    const { stderr } = await sandbox.run(["nosuch"], { env: { TVIX_DEBUG: "1" } });
    expect(stderr).toMatch(/\n {4}at /);
  });

  it("puts its store where the environment says", async () => {
    const env = { TVIX_DATA_DIR: undefined, XDG_DATA_HOME: sandbox.path("xdg") };
    await sandbox.text(["import", "file"], { env });
    expect(existsSync(sandbox.path("xdg", "tvix", "FORMAT"))).toBe(true);
  });
});

describe("tvix --version", () => {
  it("takes less than 150 ms", () => {
    // Other programs can only make it slower: the fastest start is the one to judge by.
    let fastest = Number.POSITIVE_INFINITY;
    for (let tries = 0; tries < 30 && fastest >= 150; tries++) {
      const start = performance.now();
      execFileSync(TVIX, ["--version"], { env: sandbox.env });
      fastest = Math.min(fastest, performance.now() - start);
    }
    expect(fastest).toBeLessThan(150);
  });
});
