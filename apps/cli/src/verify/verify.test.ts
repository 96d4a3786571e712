import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalStore } from "@tvix/castore/local";
import {
  contentAddress,
  encodePathInfo,
  NixHash,
  PathInfo,
  type PathInfoFields,
  SigningKey,
  StorePath,
} from "@tvix/store";
import { LocalPathInfoService } from "@tvix/store/local";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LineOutcome, runLine } from "../testing/run-line.js";

const KEY = SigningKey.of("trusted-1", new Uint8Array(32).fill(1));
const STRANGER = SigningKey.of("stranger-1", new Uint8Array(32).fill(2));

describe("tvix verify", () => {
  let directory: string;
  let data: string;
  /** A path that is as it is said to be. */
  let sound: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "tvix-verify-"));
    data = join(directory, "data");
    const tree = join(directory, "tree");
    await mkdir(tree);
    await writeFile(join(tree, "file"), "some content that is easy to find");
    sound = (await line("import", "--no-compression", tree)).stdout.trim();
  });

  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  const line = (...words: readonly string[]): Promise<LineOutcome> => runLine(data, ...words);

  /** Makes the store say something else of the path, or of another one with its content. */
  async function say(
    change: (known: PathInfo) => Partial<PathInfoFields>,
    options: { readonly keys?: readonly SigningKey[] } = {},
  ): Promise<string> {
    await using local = await LocalStore.open(data);
    const outputHash = StorePath.parseAbsolute(sound).digestBytes();
    const known = await LocalPathInfoService.of(local).get(outputHash);
    if (known === undefined) throw new Error("The path is gone");
    const { storePath, node, narSize, narSha256, contentAddress: address } = known;
    const fields = { storePath, node, narSize, narSha256, contentAddress: address };
    const said = { ...fields, ...change(known) };
    const signatures = (options.keys ?? []).map((key) => key.sign(PathInfo.of(said)));
    const changed = PathInfo.of({ signatures, ...said });
    await local.pathInfoRecords.put(changed.storePath.digestBytes(), encodePathInfo(changed));
    return String(changed.storePath);
  }

  const trust = ["--trusted-public-keys", String(KEY.publicKey)];

  it("finds nothing wrong with what is sound, signed or not", async () => {
    for (const more of [[], trust]) {
      const { status, stdout, stderr } = await line("verify", ...more, sound);
      expect([status, stdout]).toEqual([0, ""]);
      expect(stderr).toBe("verified 1 path: all as stated\n");
    }
    const { stdout } = await line("verify", "--json", "--quiet", sound, sound);
    const json = `${JSON.stringify({ path: sound, ok: true, problems: [] })}\n`;
    expect(stdout).toBe(json + json);
  });

  it.each<[string, (known: PathInfo) => Partial<PathInfoFields>, RegExp]>([
    [
      "another size",
      () => ({ narSize: 1n, contentAddress: undefined }),
      /: its NAR has \d+ bytes, not 1\n/,
    ],
    [
      "another hash",
      () => ({ narSha256: new Uint8Array(32), contentAddress: undefined }),
      /: its NAR has the hash sha256:\S+, not sha256:0{52}\n/,
    ],
    [
      "another address",
      () => ({ contentAddress: contentAddress("nar", NixHash.of("sha256", new Uint8Array(32))) }),
      /is the address of \/nix\/store\//,
    ],
    [
      "the address of a file",
      () => ({ contentAddress: contentAddress("flat", NixHash.of("sha256", new Uint8Array(32))) }),
      /is the address of \/nix\/store\//,
    ],
    [
      "references that its address has no place for",
      () => ({ references: [StorePath.parse(`${"1".repeat(32)}-x`)] }),
      /is the address of \/nix\/store\//,
    ],
  ])("finds %s", async (_, change, message) => {
    await say(change);
    const { status, stdout, stderr } = await line("verify", sound);
    expect([status, stderr]).toEqual([4, "verified 1 path: 1 not as stated\n"]);
    expect(stdout.startsWith(`${sound}: `)).toBe(true);
    expect(stdout).toMatch(message);
    const json = JSON.parse((await line("verify", "--json", sound)).stdout);
    expect(json).toMatchObject({ path: sound, ok: false });
    expect(`${sound}: ${json.problems[0]}\n`).toBe(stdout.split(/(?<=\n)/)[0]);
  });

  it("asks for a right signature where keys are trusted", async () => {
    const unproven = () => ({ contentAddress: undefined });
    const cases: readonly [readonly SigningKey[], string | undefined][] = [
      [[], "no trusted key has signed it"],
      [[STRANGER], "no trusted key has signed it"],
      [[STRANGER, KEY], undefined],
    ];
    for (const [keys, problem] of cases) {
      await say(unproven, { keys });
      const { status, stdout } = await line("verify", ...trust, sound);
      expect([status, stdout]).toEqual(
        problem === undefined ? [0, ""] : [4, `${sound}: ${problem}\n`],
      );
      expect((await line("verify", sound)).status).toBe(0);
    }
    // Signed, and changed afterwards; also where the path would prove itself.
    for (const fields of [unproven(), {}]) {
      await say(() => ({ ...fields, signatures: [KEY.signText("something else")] }));
      const { status, stdout } = await line("verify", ...trust, sound);
      expect([status, stdout]).toEqual([4, `${sound}: its signature by trusted-1 is wrong\n`]);
    }
  });

  it("finds damaged content, and goes on with the next path", async () => {
    const other = join(directory, "other");
    await writeFile(other, "another one");
    const second = (await line("import", other)).stdout.trim();
    const packs = join(data, "packs");
    for (const name of await readdir(packs)) {
      const bytes = await readFile(join(packs, name));
      const at = bytes.indexOf("easy to find");
      if (at > 0) bytes[at] = 0x45;
      await writeFile(join(packs, name), bytes);
    }
    const { status, stdout, stderr } = await line("verify", sound, second);
    expect([status, stderr]).toEqual([4, "verified 2 paths: 1 not as stated\n"]);
    expect(stdout).toMatch(/^\/nix\/store\/\S+-tree: [^\n]+\n$/);
  });

  it.each<[string, readonly string[], number, RegExp]>([
    ["no path", [], 2, /verify needs PATH\.\.\./],
    ["what is no path", ["nonsense"], 2, /"nonsense" is neither a store path/],
    ["a digest", ["0".repeat(64)], 2, /is not a store path/],
    [
      "what lies inside of a path",
      [`/nix/store/${"1".repeat(32)}-x/bin`],
      2,
      /is not a store path/,
    ],
    ["a path that is not stored", [`/nix/store/${"1".repeat(32)}-x`], 3, /is not in the store/],
    ["a key that is none", ["--trusted-public-keys", "k:AAAA", "1"], 2, /"1"|trusted-public-keys/],
    ["a secret key", ["--trusted-public-keys", KEY.formatSecret(), "0".repeat(32)], 2, /public/],
  ])("refuses %s", async (_, words, status, message) => {
    const outcome = await line("verify", ...words);
    expect([outcome.status, outcome.stdout]).toEqual([status, ""]);
    expect(outcome.stderr).toMatch(/^tvix: [^\n]+\n$/);
    expect(outcome.stderr).toMatch(message);
    expect(outcome.stderr).not.toContain(KEY.formatSecret().slice(12, 40));
  });

  it("does not find a path by another name", async () => {
    const { status, stderr } = await line("verify", sound.replace(/-tree$/, "-three"));
    expect([status, stderr]).toEqual([3, expect.stringContaining("-three is not in the store")]);
  });
});
