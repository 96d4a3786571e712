import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nixMissing } from "../cli/nix.js";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import { CacheProxy } from "./cache-proxy.js";
import { NixRig, type NixStore } from "./nix-rig.js";
import { makeSampleClosure, type SampleClosure } from "./sample-closure.js";

describe.skipIf(nixMissing !== undefined)("nix copy", () => {
  let rig: NixRig;
  let sample: SampleClosure;
  const daemons: Daemon[] = [];

  beforeAll(async () => {
    rig = await NixRig.create();
    sample = await makeSampleClosure(rig);
  });

  afterAll(async () => {
    for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  async function start(): Promise<Daemon> {
    const daemon = await startDaemon();
    daemons.push(daemon);
    return daemon;
  }

  async function copyTo(url: string, ...paths: readonly string[]): Promise<void> {
    await sample.store.text("nix", ["copy", "--to", url, ...paths]);
  }

  /** Nothing that a store knows of the closure may be lost on the way, nor what lies on the disk. */
  async function expectSame(copy: NixStore): Promise<void> {
    expect(await copy.closure(sample.app)).toEqual(sample.all);
    for (const path of sample.all) {
      expect([path, await copy.dumpHash(path)]).toEqual([path, await sample.store.dumpHash(path)]);
    }
    expect(facts(await copy.infos(sample.all))).toEqual(
      facts(await sample.store.infos(sample.all)),
    );
  }

  function facts(infos: Awaited<ReturnType<NixStore["infos"]>>): readonly object[] {
    return infos.map(({ path, narHash, narSize, references, deriver, ca }) => {
      return { path, narHash, narSize, references: [...references].sort(), deriver, ca };
    });
  }

  it.each([
    ["compression=none", /^\/nar\/[0-9a-z]{52}\.nar$/],
    ["", /^\/nar\/[0-9a-z]{52}\.nar\.xz$/],
    ["compression=zstd", /^\/nar\/[0-9a-z]{52}\.nar\.zst$/],
    ["compression=gzip", /^\/nar\/[0-9a-z]{52}\.nar$/],
    ["compression=bzip2", /^\/nar\/[0-9a-z]{52}\.nar\.bz2$/],
    ["compression=br", /^\/nar\/[0-9a-z]{52}\.nar\.br$/],
    ["compression=none&write-nar-listing=1", /^\/nar\/|^\/[0-9a-z]{32}\.ls$/],
  ])("--to ?%s and --from keeps all that there is to a closure", async (query, pattern) => {
    const daemon = await start();
    await using proxy = await CacheProxy.listen(daemon.url);
    await copyTo(`${proxy.url}?${query}`, sample.app);
    const puts = proxy.paths("PUT").filter((path) => !path.endsWith(".narinfo"));
    expect(puts.length).toBeGreaterThanOrEqual(sample.all.length);
    expect(puts.filter((path) => !pattern.test(path))).toEqual([]);
    expect(proxy.passed.filter(({ status }) => ![200, 206, 404].includes(status))).toEqual([]);

    const again = proxy.passed.length;
    await copyTo(`${proxy.url}?${query}`, sample.app);
    expect(proxy.passed.slice(again).filter(({ method }) => method === "PUT")).toEqual([]);

    const copy = rig.store(`copy-${daemon.port}`);
    await copy.text("nix", ["copy", "--from", daemon.url, sample.app]);
    await expectSame(copy);
    await daemon.stop();
    expect(daemon.log()).not.toMatch(/"level":"(?:error|warn)"/);
  });

  it("sends to a daemon directly what takes no second for each upload", async () => {
    const daemon = await start();
    const begun = performance.now();
    await copyTo(`${daemon.url}?compression=none`, sample.app);
    // A server that does not say "100 Continue" costs a second for each of the twelve.
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  it("sends a NAR again neither in another compression nor under another name", async () => {
    const daemon = await start();
    await using proxy = await CacheProxy.listen(daemon.url);
    const [first, second] = [rig.path("one"), rig.path("two")];
    await rig.output("cp", ["-r", sample.store.realPath(sample.src), first]);
    await rig.output("cp", ["-r", first, second]);
    const paths = [];
    for (const tree of [first, second]) {
      paths.push(await sample.store.text("nix-store", ["--add", tree]));
    }
    await copyTo(`${proxy.url}?compression=none`, ...paths);
    expect(proxy.paths("PUT").filter((path) => path.startsWith("/nar/"))).toHaveLength(1);
    const copy = rig.store("two-names");
    await copy.text("nix", ["copy", "--from", daemon.url, ...paths]);
    const hashes = await Promise.all(paths.map((path) => copy.dumpHash(path)));
    expect(new Set(hashes).size).toBe(1);
  });
});
