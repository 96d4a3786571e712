import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nixMissing } from "../cli/nix.js";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import { CacheProxy } from "./cache-proxy.js";
import { NixRig } from "./nix-rig.js";
import { makeSampleClosure, type SampleClosure } from "./sample-closure.js";

describe.skipIf(nixMissing !== undefined)("daemons that take over from each other", () => {
  let rig: NixRig;
  let sample: SampleClosure;
  let first: Daemon;
  const later: Daemon[] = [];

  beforeAll(async () => {
    [rig, first] = await Promise.all([NixRig.create(), startDaemon()]);
    sample = await makeSampleClosure(rig);
  });

  afterAll(async () => {
    for (const daemon of later) await daemon[Symbol.asyncDispose]();
    await first?.[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  it.each(["none", "gzip"])("between NAR and narinfo, with compression=%s", async (compression) => {
    const { dataDirectory } = first;
    let current = later.at(-1) ?? first;
    let narinfos = 0;
    const kills: NodeJS.Signals[] = ["SIGKILL", "SIGTERM"];
    const proxy: CacheProxy = await CacheProxy.listen(current.url, {
      async before({ method, path }) {
        // Nix sends one path after the other: its NAR has been stored when its narinfo comes.
        if (method !== "PUT" || !path.endsWith(".narinfo") || narinfos++ % 3 !== 1) return;
        const kill = kills.shift();
        if (kill === undefined) return;
        current.signal(kill);
        await current.exited;
        current = await startDaemon({ dataDirectory });
        later.push(current);
        proxy.upstream = current.url;
      },
    });
    await using _ = proxy;
    const paths = await pathsFor(compression);
    await sample.store.text("nix", [
      ...["copy", "--to", `${proxy.url}?compression=${compression}`, ...paths],
    ]);
    expect(kills).toEqual([]);
    expect(proxy.passed.filter(({ status }) => ![200, 404].includes(status))).toEqual([]);
    const copy = rig.store(`after-${compression}`);
    await copy.text("nix", ["copy", "--from", current.url, ...paths]);
    for (const path of paths) {
      expect(await copy.dumpHash(path)).toBe(await sample.store.dumpHash(path));
    }
  });

  /** The closure at first, then the same trees by other names: their NARs are there, their narinfos are not. */
  async function pathsFor(compression: string): Promise<readonly string[]> {
    if (compression === "none") return [sample.app];
    const added = [];
    for (const [i, path] of sample.all.entries()) {
      const tree = rig.path(`renamed-${i}`);
      await rig.output("cp", ["-r", sample.store.realPath(path), tree]);
      added.push(await sample.store.text("nix-store", ["--add", tree]));
    }
    return added;
  }
});
