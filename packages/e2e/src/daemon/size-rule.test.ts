import { B3Digest } from "@tvix/castore";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildSample } from "../cli/sample.js";
import { Sandbox } from "../cli/tvix.js";
import { type Daemon, startDaemon } from "./start-daemon.js";
import { type SizeFactor, StockClient } from "./stock-client.js";
import { Stranger } from "./stranger.js";

/** What `tvix import --json` says of a directory. */
interface Imported {
  readonly storePath: string;
  readonly narHash: string;
  readonly root: { readonly digest: string; readonly size: number };
}

let sandbox: Sandbox;
let daemon: Daemon;
let stranger: Stranger;
let stock: StockClient;

beforeAll(async () => {
  sandbox = await Sandbox.create();
  buildSample(sandbox.path("sample"));
  daemon = await startDaemon();
  stranger = new Stranger(`${daemon.host}:${daemon.port}`);
  stock = new StockClient(stranger);
});

afterAll(async () => {
  stranger?.close();
  await daemon?.[Symbol.asyncDispose]();
  await sandbox?.remove();
});

async function importSample(dataDirectory: string, ...args: readonly string[]): Promise<Imported> {
  const command = ["import", "--json", "--data-dir", dataDirectory, ...args, "sample"];
  const env = { XDG_CACHE_HOME: sandbox.path("cache") };
  return JSON.parse(await sandbox.text(command, { env }));
}

const RULES: readonly [name: string, factor: SizeFactor][] = [
  ["documented", 1],
  ["doubled", 2],
];

describe.each(RULES)("tvix import --directory-size-rule %s", (rule, factor) => {
  const option = ["--directory-size-rule", rule];
  const embedded = () => importSample(sandbox.path("embedded"), ...option);

  it("gives the same embedded, through a daemon, from the stat cache and in a dry run", async () => {
    const expected = await embedded();
    // 12 entries: 11 below the root, which does not count itself.
    expect(expected.root.size).toBe(11 * factor);
    const all = [
      await embedded(),
      await importSample(daemon.dataDirectory, ...option),
      await importSample(daemon.dataDirectory, ...option),
      await importSample(daemon.dataDirectory, "--dry-run", ...option),
    ];
    for (const { storePath, narHash, root } of all) {
      expect({ storePath, narHash, root }).toEqual({
        storePath: expected.storePath,
        narHash: expected.narHash,
        root: expected.root,
      });
    }
  });

  it("stores what a client that counts so takes, and another does not", async () => {
    const { root } = await importSample(daemon.dataDirectory, ...option);
    const digest = B3Digest.parse(root.digest).toBytes();
    expect(await stock.getClosure(digest, factor)).toHaveLength(4);
    await expect(stock.getClosure(digest, factor === 1 ? 2 : 1)).rejects.toThrow(/has size/);
  });
});

describe("tvix import", () => {
  it("counts as documented by default, with another root under the same store path", async () => {
    const [standard, documented, doubled] = [
      await importSample(daemon.dataDirectory),
      await importSample(daemon.dataDirectory, "--directory-size-rule", "documented"),
      await importSample(daemon.dataDirectory, "--directory-size-rule", "doubled"),
    ];
    expect(standard.root).toEqual(documented.root);
    expect(doubled.root.digest).not.toBe(documented.root.digest);
    expect(doubled.storePath).toBe(documented.storePath);
  });

  it("refuses a rule that is none", async () => {
    const args = ["import", "--directory-size-rule", "double", "sample"];
    const { status, stdout, stderr } = await sandbox.run(args);
    expect({ status, stdout: stdout.toString(), stderr }).toEqual({
      status: 2,
      stdout: "",
      stderr: 'tvix: option --directory-size-rule needs documented or doubled, not "double"\n',
    });
  });
});
