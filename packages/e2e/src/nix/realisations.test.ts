import { writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nixMissing } from "../cli/nix.js";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import { CacheProxy } from "./cache-proxy.js";
import { NixRig } from "./nix-rig.js";

const EXPRESSION = `derivation {
  name = "content-addressed";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  args = [ "-c" "echo content > $out" ];
  PATH = "/bin";
  __contentAddressed = true;
  outputHashMode = "recursive";
  outputHashAlgo = "sha256";
}`;

describe.skipIf(nixMissing !== undefined)("a content-addressed derivation", () => {
  let rig: NixRig;
  let daemon: Daemon;

  beforeAll(async () => {
    [rig, daemon] = await Promise.all([NixRig.create(), startDaemon()]);
  });

  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
  });

  it("is found by its realisation in the daemon, and not built again", async (context) => {
    const store = rig.store("origin");
    const file = rig.path("ca.nix");
    await writeFile(file, EXPRESSION);
    const build = await store.run("nix-build", ["--no-out-link", file]);
    if (/Operation not permitted|namespace/i.test(build.stderr)) {
      return context.skip("Nix cannot build here: namespaces are forbidden");
    }
    expect([build.status, build.stderr]).toEqual([0, expect.anything()]);
    const path = build.stdout.toString("utf8").trim();
    await using proxy = await CacheProxy.listen(daemon.url);
    await store.text("nix", ["copy", "--to", `${proxy.url}?compression=none`, "--file", file]);
    const puts = proxy.paths("PUT");
    expect(puts).toContainEqual(
      expect.stringMatching(/^\/realisations\/sha256:[0-9a-f]{64}!out\.doi$/),
    );
    const config = { substituters: daemon.url, builders: "", "max-jobs": "0" };
    const other = await rig.store("other").text("nix-build", ["--no-out-link", file], { config });
    expect(other).toBe(path);
  });
});
