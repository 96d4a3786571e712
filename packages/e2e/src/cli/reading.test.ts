import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildSample } from "./sample.js";
import { noise } from "./trees.js";
import { Sandbox, TVIX } from "./tvix.js";

let sandbox: Sandbox;
let storePath: string;
let base: string;
let root: string;

beforeAll(async () => {
  sandbox = await Sandbox.create();
  buildSample(sandbox.path("sample"));
  storePath = await sandbox.text(["import", "sample"]);
  base = storePath.slice("/nix/store/".length);
  root = JSON.parse(await sandbox.text(["info", "--json", storePath])).content.digest;
});

afterAll(async () => {
  await sandbox.remove();
});

async function lines(...args: string[]): Promise<string[]> {
  return (await sandbox.text(args)).split("\n");
}

const NAMES = ["README", "big", "caf\\xe9", "empty", "include", "line\\x0abreak", "link", "run"];

describe("tvix ls", () => {
  it("takes every spelling of a target", async () => {
    const hash = base.slice(0, 32);
    const hex = Buffer.from(root.slice("b3:".length), "base64").toString("hex");
    const spellings = [
      storePath,
      `${storePath}/`,
      base,
      hash,
      root,
      root.replace("b3:", "blake3-"),
      hex,
    ];
    for (const target of spellings) expect(await lines("ls", target)).toEqual(NAMES);
  });

  it.each([
    ["behind a slash", (target: string) => [`${target}/include`]],
    ["as an argument", (target: string) => [target, "include"]],
    ["as an argument with slashes", (target: string) => [target, "/include/"]],
  ])("takes a path inside %s", async (_, args) => {
    for (const target of [storePath, base, root]) {
      expect(await lines("ls", ...args(target))).toEqual(["stdio.h", "sys"]);
    }
  });

  it("shows permissions, sizes and targets with -l", async () => {
    const found = await lines("ls", "-l", storePath);
    expect(found.map((line) => line.replace(/ +/g, " "))).toEqual([
      "-r--r--r-- 8 README",
      "-r--r--r-- 700000 big",
      "-r--r--r-- 6 caf\\xe9",
      "dr-xr-xr-x - empty",
      "dr-xr-xr-x - include",
      "-r--r--r-- 1 line\\x0abreak",
      "lrwxrwxrwx - link -> include/stdio.h",
      "-r-xr-xr-x 10 run",
    ]);
  });

  it("goes down with -R", async () => {
    expect(await lines("ls", "-R", storePath, "include")).toEqual([
      "stdio.h",
      "sys",
      "sys/types.h",
    ]);
  });

  it("writes raw names with --null", async () => {
    const { stdout } = await sandbox.run(["ls", "--null", storePath]);
    const names = stdout.toString("latin1").split("\0");
    expect(names).toEqual([
      "README",
      "big",
      "caf\xe9",
      "empty",
      "include",
      "line\nbreak",
      "link",
      "run",
      "",
    ]);
  });

  it("loses nothing with --json", async () => {
    const found = (await lines("ls", "--json", storePath)).map((line) => JSON.parse(line));
    expect(found[0]).toMatchObject({ name: "README", type: "file", size: 8, executable: false });
    expect(found[2]).toMatchObject({ nameBase64: "Y2Fm6Q==", size: 6 });
    expect(found[2]).not.toHaveProperty("name");
    expect(found[4]).toMatchObject({ name: "include", type: "directory", size: 3 });
    expect(found[5]).toMatchObject({ name: "line\nbreak" });
    expect(found[6]).toEqual({ name: "link", type: "symlink", target: "include/stdio.h" });
    expect(found[7]).toMatchObject({ name: "run", executable: true });
  });

  it("lists a file and a link as themselves", async () => {
    expect(await lines("ls", storePath, "include/stdio.h")).toEqual(["stdio.h"]);
    expect(await lines("ls", `${storePath}/link`)).toEqual(["link"]);
  });

  it("takes a name that is not UTF-8", async () => {
    const raw = Buffer.concat([Buffer.from(`exec "$0" cat ${storePath}/caf`), Buffer.of(0xe9)]);
    const script = sandbox.path("script.sh");
    execFileSync("sh", ["-c", `cat > ${script}`], { input: raw });
    expect(execFileSync("sh", ["-c", `. ${script}`, TVIX], { env: sandbox.env }).toString()).toBe(
      "latin1",
    );
  });
});

describe("tvix cat", () => {
  it("prints the content of a file", async () => {
    const { stdout } = await sandbox.run(["cat", storePath, "big"]);
    expect(stdout.equals(noise(700_000, 5))).toBe(true);
    expect(await sandbox.text(["cat", `${storePath}/include/sys/types.h`])).toBe("typedef int x;");
  });

  it("prints a file by its digest", async () => {
    const [line = ""] = await lines("ls", "--json", storePath, "README");
    expect(await sandbox.text(["cat", JSON.parse(line).digest])).toBe("read me");
  });

  it.each([
    ["include", /it is a directory, not a file/],
    ["link", /it is a symbolic link to "include\/stdio.h", not a file/],
  ])("refuses %s", async (path, message) => {
    const { status, stderr } = await sandbox.run(["cat", storePath, path]);
    expect(status).toBe(1);
    expect(stderr).toMatch(message);
  });
});

describe("tvix tree", () => {
  it("draws everything below", async () => {
    expect(await lines("tree", storePath)).toEqual([
      `${storePath}/`,
      "├── README",
      "├── big",
      "├── caf\\xe9",
      "├── empty/",
      "├── include/",
      "│   ├── stdio.h",
      "│   └── sys/",
      "│       └── types.h",
      "├── line\\x0abreak",
      "├── link -> include/stdio.h",
      "└── run*",
      "",
      "3 directories, 7 files, 1 symbolic link",
    ]);
  });

  it("stops at a depth", async () => {
    const found = await lines("tree", "-L", "1", storePath, "include");
    expect(found.slice(0, 3)).toEqual([`${storePath}/include/`, "├── stdio.h", "└── sys/"]);
    expect(found.at(-1)).toBe("1 directory, 1 file, 0 symbolic links");
  });

  it("prints one JSON document", async () => {
    const document = JSON.parse(await sandbox.text(["tree", "--json", storePath]));
    expect(document).toMatchObject({ type: "directory", digest: root });
    const { entries } = document;
    expect(entries).toHaveLength(8);
    expect(entries[3]).toMatchObject({ name: "empty", entries: [] });
    expect(entries[4].entries[1]).toMatchObject({ name: "sys", entries: [{ name: "types.h" }] });
    expect(entries[7]).toMatchObject({ name: "run", executable: true });
    const file = JSON.parse(await sandbox.text(["tree", "--json", storePath, "README"]));
    expect(file).toMatchObject({ type: "file", size: 8 });
  });
});

describe("tvix info", () => {
  it("tells of the store", async () => {
    const figures = JSON.parse(await sandbox.text(["info", "--json"]));
    expect(figures).toMatchObject({
      dataDirectory: sandbox.path("data"),
      storePaths: 1,
      directories: 4,
    });
    expect(figures.narBytes).toBeGreaterThan(700_000);
    expect(figures.diskBytes).toBeGreaterThanOrEqual(figures.storedBytes);
    expect(await sandbox.text(["info"])).toMatch(/^store paths +1$/m);
  });

  it("tells of a store path", async () => {
    const text = await sandbox.text(["info", storePath]);
    expect(text).toContain(`store path     ${storePath}\n`);
    expect(text).toContain(root);
    expect(text).toMatch(/^NAR hash +sha256-[0-9A-Za-z+/]{43}=$/m);
    expect(text).toMatch(/^ca +fixed:r:sha256:[0-9a-z]{52}$/m);
  });

  it("tells of something inside", async () => {
    const facts = JSON.parse(await sandbox.text(["info", "--json", storePath, "run"]));
    expect(facts).toMatchObject({ content: { type: "file", executable: true, size: 10 } });
    expect(facts).not.toHaveProperty("narHash");
  });

  it("tells of an empty store", async () => {
    const env = { TVIX_DATA_DIR: sandbox.path("nothing-here") };
    const figures = JSON.parse(await sandbox.text(["info", "--json"], { env }));
    expect(figures).toMatchObject({ storePaths: 0, narBytes: 0, diskBytes: 0 });
    const { status } = spawnSync("test", ["-e", env.TVIX_DATA_DIR]);
    expect(status).toBe(1);
  });
});

describe("tvix", () => {
  it.each([
    [
      "an absent store path",
      () => ["ls", "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-x"],
      /not in the store/,
    ],
    ["an absent hash", () => ["info", "00bgd045z0d4icpbc2yyz4gx48ak44la"], /not in the store/],
    ["an absent digest", () => ["cat", "0".repeat(64)], /neither a directory nor a file/],
    ["another name", () => ["ls", `${storePath}x`], /that hash belongs to .*-sample$/m],
    ["an absent file", () => ["cat", storePath, "nosuch"], /no "nosuch" in .*-sample$/m],
    ["something below a file", () => ["ls", storePath, "run/x"], /-sample\/run is a file/],
    [
      "something below a link",
      () => ["ls", storePath, "link/x"],
      /is a symbolic link to "include\/stdio.h"/,
    ],
    ["a store to check", () => ["check", "--data-dir", "nosuch"], /no store at nosuch$/m],
    ["a file on disk", () => ["nar", "dump", "./nosuch"], /no such file or directory/],
    [
      "a token file",
      () => ["ls", "--store", "grpc+http://127.0.0.1:1", "--token-file", "nosuch", storePath],
      /token file nosuch: no such file or directory$/m,
    ],
    ["a file to import", () => ["import", "nosuch"], /"nosuch": no such file or directory/],
  ])("does not find %s", async (_, args, message) => {
    const { status, stdout, stderr } = await sandbox.run(args());
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 3, stdout: "" });
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^tvix: [^\n]+\n$/);
  });

  it("ends quietly when the reader goes away", () => {
    for (const command of [
      `ls -R ${storePath}`,
      `cat ${storePath}/big`,
      `nar dump ${storePath}`,
      "--help",
    ]) {
      // The status of tvix is what counts, not that of its reader.
      const script = `{ "$0" ${command}; echo $? >&2; } | head -c 1 > /dev/null`;
      const { stderr } = spawnSync("sh", ["-c", script, TVIX], {
        env: sandbox.env,
        encoding: "utf8",
      });
      expect(stderr).toBe("0\n");
    }
  });

  it("ends quietly when nobody reads at all", async () => {
    for (const args of [
      ["cat", storePath, "big"],
      ["import", "sample"],
    ]) {
      const { child, outcome } = sandbox.start(args);
      child.stdout?.destroy();
      expect(await outcome).toMatchObject({ status: 0, signal: null });
    }
  });

  it("changes nothing by reading", async () => {
    const before = readFileSync(sandbox.path("data", "FORMAT"), "utf8");
    const list = () =>
      execFileSync("find", [
        sandbox.path("data"),
        "-type",
        "f",
        "-name",
        "*.pack",
        "-printf",
        "%p %s %T@\n",
      ]).toString();
    const packs = list();
    for (const args of [
      ["ls", storePath],
      ["tree", storePath],
      ["info"],
      ["check"],
      ["cat", storePath, "run"],
    ]) {
      await sandbox.text(args);
    }
    expect(list()).toBe(packs);
    expect(readFileSync(sandbox.path("data", "FORMAT"), "utf8")).toBe(before);
  });
});
