import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { noise } from "../cli/trees.js";
import { type Outcome, TVIX } from "../cli/tvix.js";
import { until } from "../cli/until.js";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import { MountRig, NO_MOUNTS, shell, shellText } from "../mount/mount-rig.js";

/**
 * A has the data. B serves what it has and fetches the rest from A. Everything else goes through B.
 */
let rig: MountRig;
let a: Daemon;
let b: Daemon;
let root: string;

beforeAll(async () => {
  rig = await MountRig.create();
  a = await startDaemon({ dataDirectory: rig.sandbox.path("a") });
  await startB();
  const tree = rig.sandbox.path("tree");
  await shellText('mkdir -p "$1/known" "$1/unknown" "$1/mounted"', tree);
  writeFileSync(join(tree, "known", "small"), "small\n");
  writeFileSync(join(tree, "known", "large"), noise(3 << 20, 7));
  writeFileSync(join(tree, "unknown", "other"), "other\n");
  writeFileSync(join(tree, "mounted", "late"), noise(1 << 20, 8));
  root = await rig.sandbox.text(["import", "-q", "--data-dir", a.dataDirectory, tree]);
});

afterEach(() => rig.end());

afterAll(async () => {
  await b?.[Symbol.asyncDispose]();
  await a?.[Symbol.asyncDispose]();
  await rig?.remove();
});

async function startB(): Promise<void> {
  const far = encodeURIComponent(`grpc+unix://${a.socketPath}`);
  b = await startDaemon({
    dataDirectory: rig.sandbox.path("b"),
    args: ["--store", `cache:?near=local:&far=${far}`],
  });
}

function throughB(...args: readonly string[]): Promise<Outcome> {
  return rig.sandbox.run([...args, "--data-dir", b.dataDirectory]);
}

function textThroughB(...args: readonly string[]): Promise<string> {
  return rig.sandbox.text([...args, "--data-dir", b.dataDirectory]);
}

describe("a daemon that caches another one", () => {
  it("shows what the other has", async () => {
    expect(await textThroughB("ls", root)).toBe("known\nmounted\nunknown");
    expect(await textThroughB("info", root)).toContain("NAR size");
    expect(await textThroughB("cat", `${root}/known/small`)).toBe("small");
  });

  it("says what it cannot do", async () => {
    expect(await throughB("check")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("it is put together from several stores"),
    });
  });

  it("has what was read when it has been started again and the other is gone", async () => {
    expect(await textThroughB("ls", `${root}/known`)).toBe("large\nsmall");
    const copy = rig.sandbox.path("copy");
    const line = `"$1" cat --data-dir "$2" "$3" > "$4"`;
    await shellText(line, TVIX, b.dataDirectory, `${root}/known/large`, copy);
    await b.stop();
    await startB();
    a.signal("SIGKILL");
    await a.exited;
    await shellText(`${line}.again`, TVIX, b.dataDirectory, `${root}/known/large`, copy);
    await shellText('cmp "$1" "$1.again"', copy);
    await shellText('cmp "$1" "$2"', copy, rig.sandbox.path("tree/known/large"));
    expect(await textThroughB("cat", `${root}/known/small`)).toBe("small");
  });

  it("fails for the rest, says why, and soon at once", async () => {
    const missing = ["cat", `${root}/unknown/other`] as const;
    expect(await throughB(...missing)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/cannot (?:find|read|connect).*daemon\.sock/s),
    });
    // The store that is gone rests after its first failures: nobody waits for it any more.
    const started = performance.now();
    expect(await throughB(...missing)).toMatchObject({ status: 1 });
    expect(performance.now() - started).toBeLessThan(5000);
  });

  it("recovers when the other is back", async () => {
    a = await startDaemon({ dataDirectory: a.dataDirectory });
    await until(async () => (await throughB("cat", `${root}/unknown/other`)).status === 0);
    expect(await textThroughB("cat", `${root}/unknown/other`)).toBe("other");
  });

  it.skipIf(NO_MOUNTS)("can be mounted", async () => {
    const mount = await rig.mount({ options: ["--data-dir", b.dataDirectory] });
    const late = join(mount.path, basename(root), "mounted", "late");
    expect((await shell('cmp "$1" "$2"', late, rig.sandbox.path("tree/mounted/late"))).status).toBe(
      0,
    );
    await rig.sandbox.text(["unmount", mount.path]);
    expect((await mount.running.outcome).status).toBe(0);
  });
});

function onlyA(): readonly string[] {
  return ["--data-dir", a.dataDirectory];
}

describe("a command over a cache", () => {
  it("fills it, and needs the other no more", async () => {
    const near = rig.sandbox.path("own");
    const file = rig.sandbox.path("stores.toml");
    const url = `grpc+unix://${a.socketPath}`;
    writeFileSync(
      file,
      `[cache]\ndir = "own"\n[[upstreams]]\nurl = "${url}"\naccept-unsigned = true\n`,
    );
    const composed = ["--composition", file];
    expect(await rig.sandbox.text(["config", "check", "-q", file])).toBe("");
    expect(await rig.sandbox.text(["config", "print", ...composed])).toContain(`path = "${near}"`);
    expect(await rig.sandbox.text(["cat", ...composed, `${root}/known/small`])).toBe("small");
    const alone = ["--store", `cache:?near=local://${near}&far=memory:`];
    expect(await rig.sandbox.text(["cat", ...alone, `${root}/known/small`])).toBe("small");
    expect((await rig.sandbox.run(["cat", ...alone, `${root}/known/large`])).status).toBe(4);
  });

  it("waits for nobody who writes to what is near", async () => {
    const far = encodeURIComponent(`grpc+unix://${a.socketPath}`);
    // A daemon has the right to write for as long as it runs.
    const near = rig.sandbox.path("held");
    await using _holder = await startDaemon({ dataDirectory: near });
    const store = ["--store", `cache:?near=local://${near}&far=${far}`];
    const { status, stdout, stderr } = await rig.sandbox.run(["nar", "hash", ...store, root]);
    expect({ status, stderr }).toMatchObject({
      status: 0,
      stderr: expect.stringContaining("another process writes to the store"),
    });
    expect(stdout).toEqual((await rig.sandbox.run(["nar", "hash", ...onlyA(), root])).stdout);
  });

  it("can mix addresses of single services", async () => {
    const url = `grpc+unix://${a.socketPath}`;
    const env = {
      BLOB_SERVICE_ADDR: url,
      DIRECTORY_SERVICE_ADDR: url,
      PATH_INFO_SERVICE_ADDR: url,
    };
    expect(await rig.sandbox.text(["cat", `${root}/known/small`], { env })).toBe("small");
    const args = ["cat", "--blob-service-addr", "memory:", `${root}/known/small`];
    expect((await rig.sandbox.run(args, { env })).status).toBe(4);
  });
});
