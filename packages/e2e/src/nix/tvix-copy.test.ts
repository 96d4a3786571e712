import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nixMissing } from "../cli/nix.js";
import { Sandbox } from "../cli/tvix.js";
import { startDaemon } from "../daemon/start-daemon.js";
import { type NixKey, NixRig } from "./nix-rig.js";
import { makeSampleClosure, type SampleClosure } from "./sample-closure.js";
import { StaticCache } from "./static-cache.js";

describe.skipIf(nixMissing !== undefined)("tvix copy", () => {
  let rig: NixRig;
  let sample: SampleClosure;
  let key: NixKey;
  let sandbox: Sandbox;
  /** What `nix-store --dump` writes for each path, hashed. */
  let dumps: readonly string[];

  beforeAll(async () => {
    rig = await NixRig.create();
    sample = await makeSampleClosure(rig);
    key = await rig.key("copy.example-1");
    await sample.store.text("nix", ["store", "sign", "-k", key.secretFile, "-r", sample.app]);
    sandbox = await Sandbox.create();
    dumps = await Promise.all(sample.all.map((path) => sample.store.dumpHash(path)));
  });

  afterAll(async () => {
    await sandbox?.remove();
    await rig?.[Symbol.asyncDispose]();
  });

  /** A cache of files that the real Nix has written. */
  async function fileCache(name: string, compression: string): Promise<StaticCache> {
    const directory = rig.path("caches", name);
    // The highest levels take Nix a minute on a busy machine.
    const url = `file://${directory}?compression=${compression}&compression-level=1`;
    await sample.store.text("nix", ["copy", "--to", url, sample.app]);
    return await StaticCache.listen(directory);
  }

  function localStore(name: string): readonly string[] {
    return ["--store", `local://${sandbox.path(name)}`];
  }

  /** Compares content and everything that is said of each path with what Nix has and says. */
  async function compareAll(store: readonly string[]): Promise<void> {
    const hashes = await sandbox.text(["nar", "hash", "--format", "hex", ...sample.all, ...store]);
    expect(hashes.split("\n")).toEqual(dumps);
    const texts = (await sandbox.text(["narinfo", ...sample.all, ...store])).split("\n\n");
    for (const [i, expected] of (await sample.store.infos(sample.all)).entries()) {
      const lines = (texts[i] ?? "").trimEnd().split("\n");
      const fields = new Map(lines.map((line) => line.split(": ", 2) as [string, string]));
      expect(fields.get("StorePath")).toBe(expected.path);
      expect(fields.get("NarSize")).toBe(String(expected.narSize));
      expect(fields.get("References") ?? "").toBe(
        expected.references.map(baseName).sort().join(" "),
      );
      expect(fields.get("CA")).toBe(expected.ca);
      expect(fields.get("Deriver")).toBe(expected.deriver && baseName(expected.deriver));
      const signatures = lines.filter((line) => line.startsWith("Sig: "));
      expect(signatures).toEqual((expected.signatures ?? []).map((text) => `Sig: ${text}`));
    }
    await sandbox.text(["verify", "--trusted-public-keys", key.publicKey, ...sample.all, ...store]);
  }

  it.each(["xz", "zstd", "none", "gzip", "bzip2", "br"])(
    "takes a closure from a cache that Nix wrote with %s, and nothing a second time",
    async (compression) => {
      await using cache = await fileCache(`from-${compression}`, compression);
      const store = localStore(`store-${compression}`);
      const args = ["copy", "--from", cache.url, "--trusted-public-keys", key.publicKey, ...store];
      const first = await sandbox.run([...args, sample.app]);
      expect(first).toMatchObject({ status: 0 });
      expect(first.stderr).toContain(`copied ${sample.all.length} paths`);
      await compareAll(store);
      cache.requests.splice(0);
      const second = await sandbox.run([...args, sample.app, "--json"]);
      expect(second.stderr).toContain("copied 0 paths, 0 B moved");
      const lines = second.stdout.toString("utf8").trimEnd().split("\n");
      expect(lines).toHaveLength(sample.all.length);
      for (const line of lines) {
        expect(JSON.parse(line)).toMatchObject({ copied: false, bytesMoved: 0 });
      }
      expect(cache.requests).toEqual([]);
    },
  );

  it("believes nobody who is not trusted, but what proves itself", async () => {
    await using cache = await fileCache("wrong-key", "none");
    const other = await rig.key("other.example-1");
    const args = ["copy", "--from", cache.url, ...localStore("store-wrong-key")];
    for (const keys of [[], ["--trusted-public-keys", other.publicKey]]) {
      const refused = await sandbox.run([...args, ...keys, sample.app]);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toMatch(/none of its signatures \(copy\.example-1\) is by a trusted/);
      expect(cache.nars("GET")).toEqual([]);
    }
    await sandbox.text([...args, sample.textB]);
    await sandbox.text([...args, "--no-check-sigs", sample.app]);
    await compareAll(localStore("store-wrong-key"));
  });

  it("says what is not there", async () => {
    await using cache = await fileCache("absent", "none");
    const path = `/nix/store/${"0".repeat(32)}-x`;
    const outcome = await sandbox.run(["copy", "--from", cache.url, path]);
    expect(outcome).toMatchObject({ status: 3 });
    expect(outcome.stderr).toContain(`${path} is not in ${cache.url}`);
  });

  it("imports what JSON of Nix describes, and refuses what is not as described", async () => {
    const json = await sample.store.text("nix", ["path-info", "--json", "-r", sample.app]);
    const file = rig.path("info.json");
    await writeFile(file, json);
    const root = sample.store.realPath("");
    const args = ["copy", "--path-info-json", file, "--root", root];
    await sandbox.text([...args, ...localStore("store-json")]);
    await compareAll(localStore("store-json"));
    await writeFile(file, json.replace(/"narSize":(\d+)/, '"narSize":1$1'));
    const refused = await sandbox.run([...args, ...localStore("store-bad-json")]);
    expect(refused.status).toBe(4);
    expect(refused.stderr).toContain("is not what");
  });

  it("uploads to a cache what it lacks, for Nix to take", async () => {
    await using cache = await fileCache("origin", "none");
    const store = localStore("store-upload");
    await sandbox.text(["copy", "--from", cache.url, "--no-check-sigs", ...store, sample.app]);
    const directory = rig.path("caches", "uploaded");
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, "nix-cache-info"), "StoreDir: /nix/store\n");
    await using uploaded = await StaticCache.listen(directory);
    await using daemon = await startDaemon();
    for (const [name, url] of [
      ["static", uploaded.url],
      ["daemon", daemon.url],
    ] as const) {
      await sandbox.text(["copy", "--to", url, ...store, sample.app]);
      const again = await sandbox.run(["copy", "--to", url, ...store, sample.app]);
      expect(again.stderr).toContain("copied 0 paths, 0 B moved");
      const taken = rig.store(`taken-from-${name}`);
      const config = { "trusted-public-keys": key.publicKey, "require-sigs": "true" };
      await taken.text("nix", ["copy", "--from", url, sample.app], { config });
      expect(await Promise.all(sample.all.map((path) => taken.dumpHash(path)))).toEqual(dumps);
    }
    expect(uploaded.nars("PUT")).toHaveLength(sample.all.length);
  });

  it("goes through daemons, between stores, and moves only what is missing", async () => {
    await using cache = await fileCache("daemon", "zstd");
    await using daemon = await startDaemon();
    const own = ["--data-dir", daemon.dataDirectory];
    const keys = ["--trusted-public-keys", key.publicKey];
    await sandbox.text(["copy", "--from", cache.url, ...keys, ...own, sample.app]);
    await compareAll(own);
    const near = localStore("hop-near");
    await sandbox.text(["copy", "--to", String(near[1]), ...own, sample.app]);
    await compareAll(near);
    await using far = await startDaemon();
    const address = `grpc+http://127.0.0.1:${far.port}`;
    await sandbox.text(["copy", "--to", address, ...near, sample.app]);
    await compareAll(["--store", address]);
    // As a binary cache, whose URLs name castore nodes. The source is here under another name.
    const last = localStore("hop-last");
    await sandbox.text(["import", rig.path("source"), ...last]);
    const args = ["copy", "--from", far.url, ...keys, ...last, "--json", sample.app];
    const lines = (await sandbox.text(args)).split("\n");
    const moved = lines.map((line) => (JSON.parse(line) as { bytesMoved: number }).bytesMoved);
    const bytes = moved.reduce((sum, each) => sum + each, 0);
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThan(100_000);
    await compareAll(last);
    const unsigned = await sandbox.run([
      ...["copy", "--from", address, ...localStore("hop-unsigned"), sample.app],
    ]);
    expect(unsigned.status).toBe(1);
  });
});

function baseName(path: string): string {
  return path.slice("/nix/store/".length);
}
