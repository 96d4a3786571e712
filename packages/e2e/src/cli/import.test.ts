import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildSample } from "./sample.js";
import { noise } from "./trees.js";
import { Sandbox } from "./tvix.js";

let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await Sandbox.create();
  buildSample(sandbox.path("sample"));
  for (const name of ["a", "b", "c"]) writeFileSync(sandbox.path(name), `content of ${name}`);
  writeFileSync(sandbox.path("bad name"), "x");
});

afterAll(async () => {
  await sandbox.remove();
});

describe("tvix import", () => {
  it("prints one path for each argument, in their order", async () => {
    const { status, stdout, stderr } = await sandbox.run(["import", "c", "a", "sample", "b", "a"]);
    expect(status).toBe(0);
    const names = stdout
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => line.slice("/nix/store/".length + 33));
    expect(names).toEqual(["c", "a", "sample", "b", "a"]);
    expect(stderr).toMatch(
      /^imported 16 entries, .* read: \d+ new objects, .* before compression; \d+ known\n$/,
    );
  });

  it("says so when there is nothing new", async () => {
    const data = { TVIX_DATA_DIR: sandbox.path("again") };
    await sandbox.text(["import", "sample"], { env: data });
    const { stderr } = await sandbox.run(["import", "sample"], { env: data });
    expect(stderr).toMatch(/^imported \d+ entries, .* read: nothing new\n$/);
  });

  it("prints only paths with --quiet", async () => {
    const { stdout, stderr } = await sandbox.run(["import", "-q", "sample"]);
    expect(stdout.toString()).toMatch(/^\/nix\/store\/[0-9a-z]{32}-sample\n$/);
    expect(stderr).toBe("");
  });

  it("takes a name", async () => {
    const named = await sandbox.text(["import", "--name", "other", "bad name"]);
    expect(named).toMatch(/-other$/);
    expect(await sandbox.text(["cat", named])).toBe("x");
  });

  it("takes options before the command", async () => {
    const dir = sandbox.path("early");
    await sandbox.text(["--data-dir", dir, "--name", "early", "-q", "import", "a"]);
    expect(await sandbox.text(["info", "--json", "--data-dir", dir])).toContain('"storePaths": 1');
  });

  it("stores content as it is with --no-compression", async () => {
    writeFileSync(sandbox.path("zeros"), new Uint8Array(60_000));
    const env = { TVIX_DATA_DIR: sandbox.path("plain") };
    const path = await sandbox.text(["import", "--no-compression", "zeros"], { env });
    const { storedBytes } = JSON.parse(await sandbox.text(["info", "--json"], { env }));
    expect(storedBytes).toBeGreaterThan(60_000);
    const { stdout } = await sandbox.run(["cat", path], { env });
    expect(stdout.equals(new Uint8Array(60_000))).toBe(true);
    expect(path).toBe(await sandbox.text(["import", "zeros"]));
  });

  it("prints all there is to know with --json", async () => {
    const env = { TVIX_DATA_DIR: sandbox.path("json") };
    const { stdout } = await sandbox.run(["import", "--json", "a", "sample", "a"], { env });
    const [a, sample, again] = stdout
      .toString()
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(a).toMatchObject({
      path: "a",
      storePath: expect.stringMatching(/-a$/),
      root: { type: "file", size: 12, executable: false },
      narHash: expect.stringMatching(/^sha256-[0-9A-Za-z+/]{43}=$/),
      narSize: 128,
      entries: 1,
      filesRead: 1,
      bytesRead: 12,
    });
    expect(a.new).toEqual({ objects: 1, bytes: 12 });
    expect(sample.root).toMatchObject({ type: "directory", size: 11 });
    expect(again).toMatchObject({ storePath: a.storePath, new: { objects: 0 } });
    expect(await sandbox.text(["info", "--json", sample.storePath], { env })).toContain(
      sample.narHash,
    );
  });

  it("takes the place of a link, not what it points to", async () => {
    symlinkSync("sample", sandbox.path("link"));
    const path = await sandbox.text(["import", "link"]);
    expect(await sandbox.text(["ls", "-l", path])).toMatch(/ -> sample$/);
  });

  it("checks all names before it does anything", async () => {
    const data = sandbox.path("untouched");
    const { status, stdout, stderr } = await sandbox.run(["import", "a", "bad name"], {
      env: { TVIX_DATA_DIR: data },
    });
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/bad name.*0-9 a-z A-Z/);
    expect(existsSync(data)).toBe(false);
  });
});

describe("tvix import --dry-run", () => {
  it("prints the path and what would be new, and makes nothing", async () => {
    const data = sandbox.path("dry");
    const env = { TVIX_DATA_DIR: data };
    const { status, stdout, stderr } = await sandbox.run(["import", "--dry-run", "sample"], {
      env,
    });
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^would import 12 entries, .* read: 1[01] new objects, 70\d kB before compression; [01] known\n$/,
    );
    expect(existsSync(data)).toBe(false);
    expect(await sandbox.text(["import", "sample"], { env })).toBe(stdout.toString().trimEnd());
  });

  it("counts what is known in a store, and changes nothing in it", async () => {
    const env = { TVIX_DATA_DIR: sandbox.path("half") };
    await sandbox.text(["import", "sample"], { env });
    const before = readdirSync(env.TVIX_DATA_DIR, { recursive: true }).sort();
    mkdirSync(sandbox.path("grown"));
    writeFileSync(sandbox.path("grown", "big"), noise(700_000, 5));
    writeFileSync(sandbox.path("grown", "more"), noise(1000, 9));
    const { stdout } = await sandbox.run(["import", "--dry-run", "--json", "grown"], { env });
    const result = JSON.parse(stdout.toString());
    expect(result.known).toEqual({ objects: 1, bytes: 700_000 });
    expect(result.new.objects).toBe(2);
    expect(result.new.bytes).toBeGreaterThan(1000);
    expect(result.new.bytes).toBeLessThan(1200);
    expect(readdirSync(env.TVIX_DATA_DIR, { recursive: true }).sort()).toEqual(before);
    const { status } = await sandbox.run(["ls", result.storePath], { env });
    expect(status).toBe(3);
  });
});
