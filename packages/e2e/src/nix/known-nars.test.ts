import { mkdir, writeFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { nixMissing } from "../cli/nix.js";
import { Sandbox } from "../cli/tvix.js";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import { CacheProxy } from "./cache-proxy.js";
import { NixRig, type NixStore } from "./nix-rig.js";

describe.skipIf(nixMissing !== undefined)("nix copy --to of what tvix has by other ways", () => {
  let rig: NixRig;
  let origin: NixStore;
  let sandbox: Sandbox;
  let daemon: Daemon | undefined;
  /** What is on the disk; under another name Nix has it too. */
  let tree: string;
  let renamed: string;
  let trees = 0;

  beforeAll(async () => {
    rig = await NixRig.create();
    origin = rig.store("origin");
  });

  beforeEach(async () => {
    sandbox = await Sandbox.create();
    const other = rig.path(`renamed-${trees}`);
    tree = rig.path(`tree-${trees++}`);
    await mkdir(tree);
    await writeFile(`${tree}/file`, `content ${tree}`);
    await rig.output("cp", ["-r", tree, other]);
    renamed = await origin.text("nix-store", ["--add", other]);
  });

  afterEach(async () => {
    await daemon?.[Symbol.asyncDispose]();
    daemon = undefined;
    await sandbox.remove();
  });

  afterAll(async () => {
    await rig?.[Symbol.asyncDispose]();
  });

  const start = async (): Promise<Daemon> => {
    daemon = await startDaemon({ dataDirectory: sandbox.path("data") });
    return daemon;
  };

  async function describeTree(): Promise<readonly string[]> {
    const path = await origin.text("nix-store", ["--add", tree]);
    const file = rig.path("infos.json");
    await writeFile(file, JSON.stringify(await origin.infos([path])));
    const root = origin.realPath("/").slice(0, -1);
    return ["copy", "--path-info-json", file, "--root", root];
  }

  async function narOf(): Promise<string> {
    const nar = rig.path("tree.nar");
    await writeFile(nar, await rig.output("nix-store", ["--dump", tree]));
    return nar;
  }

  it.each<[string, () => Promise<readonly string[]>]>([
    ["tvix import", async () => ["import", tree]],
    ["tvix nar import", async () => ["nar", "import", "--name", "x", await narOf()]],
    ["tvix copy", describeTree],
  ])("moves no NAR after %s, with a daemon or before one", async (_, command) => {
    const args = await command();
    // Once in the own process, once through the daemon of another directory.
    for (const isThroughDaemon of [false, true]) {
      if (isThroughDaemon) {
        await daemon?.[Symbol.asyncDispose]();
        await sandbox.remove();
        sandbox = await Sandbox.create();
        await start();
      }
      await sandbox.text(args);
      const { url } = daemon ?? (await start());
      await using proxy = await CacheProxy.listen(url);
      await origin.text("nix", ["copy", "--to", `${proxy.url}?compression=none`, renamed]);
      expect(proxy.paths("PUT")).toEqual([`/${renamed.slice(11, 43)}.narinfo`]);
      const copy = rig.store(`copy-${trees}-${isThroughDaemon}`);
      await copy.text("nix", ["copy", "--from", url, renamed]);
      expect(await copy.dumpHash(renamed)).toBe(await origin.dumpHash(renamed));
    }
  });

  it("moves nothing at all of a path that was imported", async () => {
    const path = await origin.text("nix-store", ["--add", tree]);
    expect(await sandbox.text(["import", tree])).toBe(path);
    const { url } = await start();
    await using proxy = await CacheProxy.listen(url);
    await origin.text("nix", ["copy", "--to", proxy.url, path]);
    expect(proxy.paths("PUT")).toEqual([]);
  });
});
