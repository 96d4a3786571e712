import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalStore } from "@tvix/castore/local";
import { encodePathInfo, PathInfo, type PathInfoFields, SigningKey, StorePath } from "@tvix/store";
import { LocalPathInfoService } from "@tvix/store/local";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type LineOutcome, runLine } from "../testing/run-line.js";

const KEY = SigningKey.of("signer-1", new Uint8Array(32).fill(1));
const TRUST = ["--trusted-public-keys", String(KEY.publicKey)];

describe("tvix sign", () => {
  let directory: string;
  let data: string;
  let keyFile: string;
  let path: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "tvix-sign-"));
    data = join(directory, "data");
    keyFile = join(directory, "key");
    await writeFile(keyFile, KEY.formatSecret());
    await writeFile(join(directory, "file"), "content");
    path = (await line("import", join(directory, "file"))).stdout.trim();
    await change({ contentAddress: undefined });
  });

  afterEach(async () => {
    await rm(directory, { recursive: true, force: true });
  });

  const line = (...words: readonly string[]): Promise<LineOutcome> => runLine(data, ...words);

  /** Makes the store say something else of the path. */
  async function change(changes: Partial<PathInfoFields>): Promise<void> {
    await using local = await LocalStore.open(data);
    const outputHash = StorePath.parseAbsolute(path).digestBytes();
    const known = await LocalPathInfoService.of(local).get(outputHash);
    if (known === undefined) throw new Error("The path is gone");
    const { storePath, node, narSize, narSha256, signatures } = known;
    const changed = PathInfo.of({ storePath, node, narSize, narSha256, signatures, ...changes });
    await local.pathInfoRecords.put(outputHash, encodePathInfo(changed));
  }

  it("signs the path and its root, once, and verify and info tell", async () => {
    expect((await line("verify", ...TRUST, path)).status).toBe(4);
    for (const _ of [1, 2]) {
      const { status, stderr } = await line("sign", "--key-file", keyFile, path);
      expect([status, stderr]).toEqual([0, "signed 1 path with signer-1\n"]);
    }
    expect(await line("verify", ...TRUST, path)).toMatchObject({ status: 0, stdout: "" });
    const json = JSON.parse((await line("info", "--json", path)).stdout);
    expect(json.signatures).toEqual([expect.stringMatching(/^signer-1:/)]);
    expect(json.rootSignatures).toEqual([expect.stringMatching(/^signer-1:/)]);
    expect(json.signatures[0]).not.toBe(json.rootSignatures[0]);
    expect((await line("info", path)).stdout).toMatch(/^of the root +signer-1:/m);
  });

  it("is enough with the root alone, and a wrong signature of it is found", async () => {
    await line("sign", "--key-file", keyFile, path);
    await using local = await LocalStore.open(data, { readOnly: true });
    const outputHash = StorePath.parseAbsolute(path).digestBytes();
    const known = await LocalPathInfoService.of(local).get(outputHash);
    const [, ofRoot] = known?.signatures ?? [];
    if (ofRoot === undefined) throw new Error("There is no signature of the root");
    await local.close();
    await change({ signatures: [ofRoot] });
    expect(await line("verify", ...TRUST, path)).toMatchObject({ status: 0, stdout: "" });
    await change({ references: [StorePath.parseAbsolute(path)] });
    expect(await line("verify", ...TRUST, path)).toMatchObject({
      status: 4,
      stdout: `${path}: the signature of its root by signer-1 is wrong\n`,
    });
  });

  it("does not sign what is not as it is said to be", async () => {
    await change({ narSize: 1n });
    const { status, stderr } = await line("sign", "--key-file", keyFile, path);
    expect([status, stderr]).toEqual([4, expect.stringMatching(/another NAR than is stated/)]);
    const json = JSON.parse((await line("info", "--json", path)).stdout);
    expect(json).toMatchObject({ signatures: [], rootSignatures: [] });
  });

  it.each<[string, (key: string) => readonly string[], number, RegExp]>([
    ["no key", () => ["x"], 2, /--key-file FILE/],
    [
      "a file that is not there",
      (key) => ["--key-file", `${key}x`, "0".repeat(32)],
      3,
      /cannot read/,
    ],
    [
      "a path that is not stored",
      (key) => ["--key-file", key, "0".repeat(32)],
      3,
      /not in the store/,
    ],
  ])("refuses %s", async (_, words, status, message) => {
    const outcome = await line("sign", ...words(keyFile));
    expect([outcome.status, outcome.stderr]).toEqual([status, expect.stringMatching(message)]);
    expect(outcome.stderr).not.toContain(KEY.formatSecret().slice(12, 40));
  });
});
