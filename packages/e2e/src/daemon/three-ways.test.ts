import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildSample } from "../cli/sample.js";
import { type Outcome, Sandbox } from "../cli/tvix.js";
import { type Daemon, startDaemon } from "./start-daemon.js";

/** How the command finds its store. */
interface Way {
  readonly name: string;
  readonly args: () => readonly string[];
  readonly data: () => string;
}

let sandbox: Sandbox;
/** One daemon for each way that goes through one, so that each store is filled once. */
let bySocket: Daemon;
let byAddress: Daemon;
let byTcp: Daemon;

beforeAll(async () => {
  sandbox = await Sandbox.create();
  buildSample(sandbox.path("sample"));
  bySocket = await startDaemon();
  byAddress = await startDaemon();
  byTcp = await startDaemon();
});
afterAll(async () => {
  for (const daemon of [bySocket, byAddress, byTcp]) await daemon?.[Symbol.asyncDispose]();
  await sandbox?.remove();
});

const EMBEDDED: Way = {
  name: "the store itself",
  args: () => ["--data-dir", sandbox.path("embedded")],
  data: () => sandbox.path("embedded"),
};

const THROUGH_DAEMONS: readonly Way[] = [
  {
    name: "the daemon of the data directory",
    args: () => ["--data-dir", bySocket.dataDirectory],
    data: () => bySocket.dataDirectory,
  },
  {
    name: "grpc+unix",
    args: () => ["--store", `grpc+unix://${byAddress.socketPath}`],
    data: () => byAddress.dataDirectory,
  },
  {
    name: "grpc+http",
    args: () => ["--store", `grpc+http://127.0.0.1:${byTcp.port}`],
    data: () => byTcp.dataDirectory,
  },
];

async function run(way: Way, ...args: readonly string[]): Promise<Outcome> {
  return await sandbox.run([...args, ...way.args()], {
    env: { XDG_CACHE_HOME: sandbox.path("cache") },
  });
}

/** What a run said, without what names its store. */
function said(way: Way, { status, stdout, stderr }: Outcome) {
  const place = way.args()[1] ?? "";
  const neutral = (text: string) => text.replaceAll(place, "PLACE").replaceAll(way.data(), "PLACE");
  return { status, stdout: neutral(stdout.toString("latin1")), stderr: neutral(stderr) };
}

/** Runs the same command both ways; what it says must be the same. */
async function expectSame(way: Way, ...args: readonly string[]) {
  const expected = said(EMBEDDED, await run(EMBEDDED, ...args));
  expect(said(way, await run(way, ...args))).toEqual(expected);
  return expected;
}

describe.each(THROUGH_DAEMONS)("tvix through $name", (way) => {
  let storePath: string;
  beforeAll(async () => {
    storePath = (await sandbox.text(["import", "sample", ...EMBEDDED.args()])).trim();
    await sandbox.text(["import", "sample", ...way.args()], {
      env: { XDG_CACHE_HOME: sandbox.path("cache") },
    });
  });

  it("imports what is new, and says so", async () => {
    const name = `new ${way.name}`.replaceAll(/\W/g, "-");
    writeFileSync(sandbox.path(name), `content of ${name}\n`);
    const args = ["import", "--json", name];
    expect((await expectSame(way, ...args)).stderr).toMatch(/: 1 new object, .*; 0 known\n$/);
    expect((await expectSame(way, ...args)).stderr).toMatch(/: nothing new\n$/);
  });

  it("imports what has not changed without reading it", async () => {
    const { stderr } = await run(way, "import", "sample");
    expect(stderr).toMatch(/^imported 12 entries, .* read: nothing new\n$/);
  });

  it("begins its cache anew where another version has left one", async () => {
    const before = await run(way, "import", "sample");
    const caches = sandbox.path("cache/tvix");
    for (const name of readdirSync(caches)) {
      writeFileSync(join(caches, name, "FORMAT"), "tvix-store 1\n");
    }
    const { status, stdout } = await run(way, "import", "sample");
    expect({ status, stdout }).toEqual({ status: 0, stdout: before.stdout });
    expect((await run(way, "import", "sample")).stderr).toMatch(/, 0 B read: nothing new\n$/);
  });

  it("tells what would be new", async () => {
    await expectSame(way, "import", "--dry-run", "--json", "sample");
  });

  it("lists, draws and reads what is stored", async () => {
    await expectSame(way, "ls", storePath);
    await expectSame(way, "ls", "--json", "--recursive", storePath);
    await expectSame(way, "tree", storePath);
    expect((await expectSame(way, "cat", `${storePath}/big`)).stdout).toHaveLength(700_000);
    expect((await expectSame(way, "nar", "dump", storePath)).status).toBe(0);
    await expectSame(way, "info", "--json", storePath);
  });

  it("fails in the same words", async () => {
    expect((await expectSame(way, "cat", `${storePath}/absent`)).status).toBe(3);
    expect((await expectSame(way, "ls", `/nix/store/${"0".repeat(32)}-x`)).status).toBe(3);
    expect((await expectSame(way, "cat", `b3:${"A".repeat(43)}=`)).status).toBe(3);
  });

  it("checks the whole store", async () => {
    const { status, stderr } = await run(way, "check", "--nars");
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: expect.stringMatching(/^checked \d+ objects and \d+ store paths?: all sound\n$/),
    });
  });

  it("counts what the store holds", async () => {
    const { stdout } = await run(way, "info", "--json");
    expect(JSON.parse(stdout.toString())).toMatchObject({ dataDirectory: way.data() });
  });
});

describe("tvix without a daemon", () => {
  it("uses the store itself when a daemon has ended, its socket left behind or not", async () => {
    const daemon = await startDaemon();
    try {
      const args = ["import", "--data-dir", daemon.dataDirectory, "sample"];
      daemon.signal("SIGKILL");
      await daemon.exited;
      expect((await sandbox.run(args)).status).toBe(0);
    } finally {
      await daemon[Symbol.asyncDispose]();
    }
  });

  it("says when nobody answers at an address", async () => {
    const { status, stderr } = await sandbox.run([
      "ls",
      "--store",
      "grpc+http://127.0.0.1:1",
      "0".repeat(32),
    ]);
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringMatching(
        /^tvix: cannot read the path info of 0{32}: .*127\.0\.0\.1:1.*\n$/,
      ),
    });
  });

  it("refuses an address that is none", async () => {
    const { status, stderr } = await sandbox.run(["info", "--store", "grpc+http://nowhere"]);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringMatching(/^tvix: .*grpc\+http:\/\/nowhere.*port.*\n$/),
    });
  });
});
