import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { noise } from "../cli/trees.js";
import type { Outcome, Sandbox } from "../cli/tvix.js";
import { pythonMissing } from "../daemon/python-client.js";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import { MountRig, NO_MOUNTS, shell } from "../mount/mount-rig.js";
import { type Lie, ReferenceServer } from "./reference-server.js";

const LARGE = noise(700_000, 3);

/** Every way to lie about content, and about what there is. */
const LIES: readonly Lie[] = [
  ...(["chunks-of-others", "chunks-too-long", "wrong-bytes", "truncated-blob"] as const),
  ...(["endless-blob", "slow-drip", "wrong-directory", "truncated-listing"] as const),
  ...(["endless-listing", "other-path"] as const),
];

let rig: MountRig;
let sandbox: Sandbox;
let server: ReferenceServer;
let honest: Daemon;
let name: string;

beforeAll(async () => {
  if (pythonMissing !== undefined) return;
  rig = await MountRig.create();
  sandbox = rig.sandbox;
  honest = await startDaemon();
  server = await ReferenceServer.start();
  mkdirSync(sandbox.path("tree/a/b/c"), { recursive: true });
  writeFileSync(sandbox.path("tree/a/b/c/file"), "content");
  writeFileSync(sandbox.path("tree/large"), LARGE);
  writeFileSync(sandbox.path("other"), "another path\n");
  const words = ["import", "--directory-size-rule", "doubled"];
  for (const store of [server.address, `grpc+unix://${honest.socketPath}`]) {
    const [first = ""] = (await sandbox.text([...words, "--store", store, "tree", "other"])).split(
      "\n",
    );
    name = basename(first);
  }
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await honest?.[Symbol.asyncDispose]();
  await rig?.remove();
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

describe.skipIf(pythonMissing !== undefined || NO_MOUNTS !== undefined)(
  "a mount of a store that lies",
  () => {
    afterEach(() => rig.end());

    it.each<Lie>([
      "chunks-of-others",
      "chunks-too-long",
      "wrong-bytes",
      "truncated-blob",
      "endless-blob",
    ])("gives no wrong byte of a part of a file: %s", async (lie) => {
      await server.tell(lie);
      const { path } = await rig.mount({ options: ["--store", server.address] });
      const part = await shell(
        'dd if="$1" bs=4096 skip=50 count=1 status=none',
        join(path, name, "large"),
      );
      expect(part.stderr).toContain("Input/output error");
      expect(part.stdout.byteLength).toBe(0);
    });
  },
);

describe.skipIf(pythonMissing !== undefined)("a store that lies, before one that does not", () => {
  /** Asks the liar first; then the other one. */
  function compose(): string {
    const table = (kind: string): string => `
[${kind}.root]
type = "fallback"
stores = ["&liar", "&honest"]
timeout = "3s"
[${kind}.liar]
type = "grpc"
url = "${server.address}"
[${kind}.honest]
type = "grpc"
url = "grpc+unix://${honest.socketPath}"
`;
    const file = sandbox.path("stores.toml");
    writeFileSync(
      file,
      ["blobservices", "directoryservices", "pathinfoservices"].map(table).join(""),
    );
    return file;
  }

  it.each(LIES)("is passed over: %s", async (lie) => {
    await server.tell(lie);
    const composition = ["--composition", compose()];
    const file = await sandbox.run(["cat", ...composition, `${name}/large`]);
    expect(file).toMatchObject({ status: 0, stderr: "" });
    expect(file.stdout.equals(LARGE)).toBe(true);
    const nar = await sandbox.run(["nar", "dump", ...composition, name]);
    const right = await sandbox.run([
      "nar",
      "dump",
      "--store",
      `grpc+unix://${honest.socketPath}`,
      name,
    ]);
    expect(nar.stdout.equals(right.stdout)).toBe(true);
    expect(nar.status).toBe(0);
  });
});
