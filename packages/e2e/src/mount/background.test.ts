import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { buildSample } from "../cli/sample.js";
import { until } from "../cli/until.js";
import { isMounted, MountRig, NO_MOUNTS, shellText } from "./mount-rig.js";

let rig: MountRig;
let sample: string;
let log: string;

beforeAll(async () => {
  rig = await MountRig.create();
  buildSample(rig.sandbox.path("sample"));
  sample = await rig.import("sample");
  log = rig.sandbox.path("log");
});

afterEach(() => rig.end());

afterAll(() => rig.remove());

/** Processes of `tvix mount` for a mount point: the one that serves it, and the one that started that. */
function servers(path: string): readonly string[] {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    const words = commandLine(name).split("\0");
    return words.includes("mount") && words.includes(path);
  });
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

describe.skipIf(NO_MOUNTS)("tvix mount in the background", () => {
  it("ends when the mount answers, and goes on", async () => {
    const path = rig.newMountPoint();
    const outcome = await rig.sandbox.run(["mount", "--list-root", "--log-file", log, path]);
    expect(outcome).toMatchObject({ status: 0, stderr: "" });
    expect(outcome.stdout).toHaveLength(0);
    expect(await shellText('ls "$1"', path)).toBe(`${sample}\n`);
    const [pid = "", ...others] = servers(path);
    expect(others).toEqual([]);
    // It holds on neither to where it was started nor to the terminal.
    expect(await shellText('readlink "/proc/$1/cwd"', pid)).toBe("/\n");
    expect(await shellText('cut -d" " -f6 "/proc/$1/stat"', pid)).toBe(`${pid}\n`);
    expect((await rig.sandbox.run(["unmount", "-q", path])).stderr).toBe("");
    await until(() => servers(path).length === 0);
  });

  it.each([
    ["is missing", 3, "/missing: no such file", () => rig.sandbox.path("missing")],
    [
      "is a file",
      1,
      "it is not a directory",
      () => {
        writeFileSync(rig.sandbox.path("file"), "");
        return rig.sandbox.path("file");
      },
    ],
  ])("says when the mount point %s", async (_, status, message, point) => {
    const outcome = await rig.sandbox.run(["mount", "--log-file", log, point()]);
    expect(outcome.status).toBe(status);
    expect(outcome.stderr).toContain(message);
    expect(outcome.stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  it("says when the target is missing", async () => {
    const path = rig.newMountPoint();
    const target = `${"0".repeat(32)}-x`;
    const outcome = await rig.sandbox.run(["mount", "--log-file", log, path, target]);
    expect(outcome).toMatchObject({ status: 3 });
    expect(outcome.stderr).toContain("is not in the store");
    expect(isMounted(path)).toBe(false);
  });

  it("says when a daemon cannot be reached, as soon as its content is needed", async () => {
    const path = rig.newMountPoint();
    const store = `grpc+unix://${rig.sandbox.path("nobody.sock")}`;
    const args = ["mount", "--log-file", log, "--store", store, path, sample];
    const outcome = await rig.sandbox.run(args);
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toContain("nobody.sock");
  });

  it("says when its log cannot be written", async () => {
    const path = rig.newMountPoint();
    const outcome = await rig.sandbox.run(["mount", "--log-file", "/proc/nothing/log", path]);
    expect(outcome.status).toBe(1);
    expect(outcome.stderr).toContain("name another file by --log-file");
  });

  it("writes down what fails", async () => {
    mkdirSync(rig.sandbox.path("damaged"));
    writeFileSync(rig.sandbox.path("damaged/file"), "x".repeat(100_000));
    const store = rig.sandbox.path("damaged-store");
    const env = { TVIX_DATA_DIR: store };
    const name = await rig.sandbox.text(["import", rig.sandbox.path("damaged")], { env });
    await shellText('for pack in "$1"/packs/*; do truncate -s 64 "$pack"; done', store);
    const path = rig.newMountPoint();
    const started = await rig.sandbox.run(["mount", "--log-file", log, path], { env });
    expect(started).toMatchObject({ status: 0 });
    await expect(shellText('cat "$1"/*/file', `${path}/${name.slice(11)}/..`)).rejects.toThrow();
    await until(() => /^\d{4}-.*Z tvix: [A-Z]+ failed: /m.test(readFileSync(log, "utf8")));
  });

  it("ends by SIGTERM", async () => {
    const path = rig.newMountPoint();
    expect(await rig.sandbox.run(["mount", "--log-file", log, path])).toMatchObject({ status: 0 });
    const [pid = ""] = servers(path);
    process.kill(Number(pid), "SIGTERM");
    await until(() => servers(path).length === 0);
    expect(isMounted(path)).toBe(false);
  });

  it("is asked to end when the command is interrupted", async () => {
    const path = rig.newMountPoint();
    const socket = rig.sandbox.path("silent.sock");
    // Takes calls and never answers them, so that it is never ready.
    const server = createServer((connection) => connection.on("error", () => {}));
    await new Promise<void>((listening) => server.listen(socket, listening));
    const store = ["--store", `grpc+unix://${socket}`];
    const running = rig.sandbox.start(["mount", "--log-file", log, ...store, path, sample]);
    await new Promise((connected) => server.once("connection", connected));
    running.child.kill("SIGINT");
    expect((await running.outcome).status).toBe(130);
    expect(servers(path)).toEqual([]);
    expect(isMounted(path)).toBe(false);
    server.close();
  });
});
