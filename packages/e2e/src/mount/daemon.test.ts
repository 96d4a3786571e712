import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { noise } from "../cli/trees.js";
import { until } from "../cli/until.js";
import { startDaemon } from "../daemon/start-daemon.js";
import { MountRig, NO_MOUNTS, shell, shellText } from "./mount-rig.js";

let rig: MountRig;

beforeAll(async () => {
  rig = await MountRig.create();
});

afterEach(() => rig.end());

afterAll(() => rig.remove());

describe.skipIf(NO_MOUNTS)("a mount of the store behind a daemon", () => {
  it("lives on when the daemon is gone, and recovers when it is back", async () => {
    const dataDirectory = rig.sandbox.path("served");
    const store = `grpc+unix://${dataDirectory}/daemon.sock`;
    const start = () => startDaemon({ dataDirectory });
    let daemon = await start();
    writeFileSync(rig.sandbox.path("big"), noise(3 << 20, 5));
    writeFileSync(rig.sandbox.path("small"), "small\n");
    const imported = await rig.sandbox.text(["import", "--store", store, "big", "small"]);
    const [big = "", small = ""] = imported.split("\n").map((path) => basename(path));

    const mount = await rig.mount({ options: ["--list-root", "--store", store] });
    expect(await shellText('cat "$1"', join(mount.path, small))).toBe("small\n");
    expect((await shellText('ls "$1"', mount.path)).split("\n").slice(0, 2).sort()).toEqual(
      [big, small].sort(),
    );

    await daemon.stop();
    const gone = await shell('cat "$1"', join(mount.path, big));
    expect(gone.status).not.toBe(0);
    expect(gone.stderr).toContain("Input/output error");
    // What the kernel knows already, it goes on telling.
    expect(await shellText('cat "$1"', join(mount.path, small))).toBe("small\n");
    await until(() => mount.running.stderr().includes("READ failed"));

    daemon = await start();
    await until(
      async () =>
        (await shell('cmp "$1" "$2"', join(mount.path, big), rig.sandbox.path("big"))).status === 0,
    );
    writeFileSync(rig.sandbox.path("late"), "late\n");
    const late = basename(await rig.sandbox.text(["import", "--store", store, "late"]));
    expect(await shellText('cat "$1"', join(mount.path, late))).toBe("late\n");

    mount.running.child.kill("SIGINT");
    expect((await mount.running.outcome).status).toBe(0);
    await daemon.stop();
  });

  it("is found at the data directory, too", async () => {
    await using daemon = await startDaemon();
    const own = ["--data-dir", daemon.dataDirectory];
    writeFileSync(rig.sandbox.path("found"), "found\n");
    const name = basename(await rig.sandbox.text(["import", ...own, "found"]));
    const mount = await rig.mount({ options: own });
    expect(await shellText('cat "$1"', join(mount.path, name))).toBe("found\n");
    await rig.sandbox.text(["unmount", mount.path]);
    expect((await mount.running.outcome).status).toBe(0);
  });
});

describe.skipIf(NO_MOUNTS)("a mount that would hide its own store", () => {
  it.each(["data", "."])("is refused: %s", async (place) => {
    writeFileSync(rig.sandbox.path("x"), "x");
    await rig.import(rig.sandbox.path("x"));
    const outcome = await rig.sandbox.run(["mount", "--foreground", rig.sandbox.path(place)]);
    expect(outcome).toMatchObject({ status: 1 });
    expect(outcome.stderr).toContain(`hide the store in ${rig.sandbox.path("data")}`);
  });
});

describe.skipIf(NO_MOUNTS)("what is shown", () => {
  let name: string;

  beforeAll(async () => {
    await shellText(
      'mkdir -p "$1/sub/deep" && echo 1 > "$1/sub/one" && ln -s one "$1/sub/link"',
      rig.sandbox.path("tree"),
    );
    name = await rig.import(rig.sandbox.path("tree"));
  });

  it.each([
    ["a store path", () => name, "sub\n"],
    ["a directory in it", () => `/nix/store/${name}/sub`, "deep\nlink\none\n"],
    ["a file in it", () => `${name}/sub/one`, "one\n"],
    ["a link in it", () => `${name}/sub/link`, "link\n"],
  ])("is %s", async (_, target, listing) => {
    const { path } = await rig.mount({ target: target() });
    expect(await shellText('ls "$1"', path)).toBe(listing);
  });

  it("is a directory by its digest", async () => {
    const info = JSON.parse(await rig.sandbox.text(["info", "--json", name]));
    const digest = JSON.stringify(info).match(
      /b3:[0-9A-Za-z+/]{43}=|blake3-[0-9A-Za-z+/]{43}=/,
    )?.[0];
    const { path } = await rig.mount({ target: digest ?? expect.unreachable() });
    expect(await shellText('cat "$1/sub/one"', path)).toBe("1\n");
  });

  it("has the owner it is told", async () => {
    const { path } = await rig.mount({ options: ["--uid-gid", "1234:567"], target: name });
    expect(await shellText('stat -c %u:%g "$1" "$1/sub/one" "$1/sub/link"', path)).toBe(
      "1234:567\n1234:567\n1234:567\n",
    );
  });

  it("has no attributes when it is told so", async () => {
    const { path } = await rig.mount({ options: ["--no-xattr"], target: name });
    expect((await shell('getfattr -d "$1"', path)).stdout).toHaveLength(0);
    const one = await shell('getfattr -n user.tvix.castore.directory.digest "$1"', path);
    expect(one.stderr).toContain("Operation not supported");
  });

  it("is not listed unless it is asked for", async () => {
    const { path } = await rig.mount();
    expect((await shell('ls "$1"', path)).stderr).toContain("Operation not permitted");
    expect(await shellText('cat "$1/sub/one"', join(path, name))).toBe("1\n");
  });

  it("is for the one who mounts, unless others are let in", async () => {
    const asNobody = 'setpriv --reuid=65534 --regid=65534 --clear-groups cat "$1/sub/one"';
    const own = await rig.mount({ options: ["--threads", "2"], target: name });
    const all = await rig.mount({ options: ["--allow-other"], target: name });
    // Nobody gets through the directory of the test otherwise.
    await shellText('chmod 755 "$1"', rig.sandbox.directory);
    expect((await shell(asNobody, own.path)).stderr).toContain("Permission denied");
    expect(await shellText(asNobody, all.path)).toBe("1\n");
  });
});
