import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { until } from "../cli/until.js";
import { type Daemon, startDaemon } from "../daemon/start-daemon.js";
import {
  isMounted,
  MountRig,
  NO_MOUNTS,
  type ServedMount,
  shell,
  shellText,
  type Transport,
  timed,
} from "./mount-rig.js";
import { endUser } from "./users.js";

/** More than a mount works on at once. */
const HUNG = 300;

/** An end may take so long, in ms. */
const END_MS = 2000;

let rig: MountRig;
let daemon: Daemon;
/** Base name of a directory. */
let tree: string;

beforeAll(async () => {
  if (NO_MOUNTS !== undefined) return;
  rig = await MountRig.create();
  daemon = await startDaemon();
  mkdirSync(rig.sandbox.path("tree"));
  writeFileSync(rig.sandbox.path("tree/file"), "content\n");
  tree = basename(await rig.sandbox.text(["import", "--data-dir", daemon.dataDirectory, "tree"]));
});

beforeEach(() => daemon?.signal("SIGSTOP"));

afterEach(async () => {
  daemon?.signal("SIGCONT");
  await rig?.end();
});

afterAll(async () => {
  await daemon?.[Symbol.asyncDispose]();
  await rig?.remove();
});

/** A mount that knows the tree, whose daemon then stops answering. */
async function mountThatHangs(transport: Transport): Promise<ServedMount> {
  daemon.signal("SIGCONT");
  const options = ["--list-root", "--store", `grpc+unix://${daemon.socketPath}`];
  const mount = await rig.mount({ options, transport });
  expect((await shell('cat "$1/file"', join(mount.path, tree))).stdout.toString()).toBe(
    "content\n",
  );
  daemon.signal("SIGSTOP");
  return mount;
}

/** Runs a shell line with a path in a group of its own, and waits for its first line. */
async function start(line: string, path: string): Promise<ChildProcess> {
  const child = spawn("sh", ["-c", line, "sh", path], {
    stdio: ["ignore", "pipe", "ignore"],
    detached: true,
  });
  await once(child.stdout, "data");
  return child;
}

/** Whether a process waits for the answer of a FUSE file system: the function of the kernel that it sleeps in. */
function isWaiting(pid: number): boolean {
  return readFileSync(`/proc/${pid}/wchan`, "utf8") === "request_wait_answer";
}

/** As many as make everything else wait ask for store paths. */
async function startHungUsers(path: string): Promise<ChildProcess> {
  const ask = 'stat "$1/$(printf %032d $i)-x" > /dev/null 2>&1 &';
  const line = `i=0; while [ $i -lt ${HUNG} ]; do i=$((i + 1)); ${ask} done; echo all; wait`;
  const asking = await start(line, path);
  const children = await shellText('pgrep -P "$1"', String(asking.pid));
  const pids = children.trim().split("\n").map(Number);
  expect(pids).toHaveLength(HUNG);
  await until(() => pids.every(isWaiting));
  return asking;
}

describe.skipIf(NO_MOUNTS)("a mount whose daemon does not answer any more", () => {
  it("gives what it knows, however many requests hang, and recovers", async () => {
    const { path, running } = await mountThatHangs("polled");
    const hung = await startHungUsers(path);
    for (let i = 0; i < 20; i++) {
      // The kernel has never heard of that name, and asks.
      const outcome = await shell('stat "$1/absent$2"', join(path, tree), String(i));
      expect(outcome.stderr).toContain("No such file or directory");
    }
    expect(hung.exitCode).toBe(null);
    daemon.signal("SIGCONT");
    await once(hung, "close");
    expect(hung.exitCode).toBe(0);
    running.child.kill("SIGTERM");
    expect((await running.outcome).status).toBe(0);
  });

  it.each([
    ["a name", 'exec stat "$1/00000000000000000000000000000000-x"'],
    ["a listing", 'exec ls "$1"'],
  ])("lets who waits for %s go when he is interrupted", async (_, line) => {
    const { path } = await mountThatHangs("polled");
    const user = await start(`echo in; ${line}`, path);
    await until(() => isWaiting(user.pid ?? 0));
    const elapsed = await timed(async () => {
      const gone = once(user, "close");
      process.kill(user.pid ?? 0, "SIGINT");
      await gone;
    });
    expect(user.signalCode).toBe("SIGINT");
    expect(elapsed).toBeLessThan(END_MS);
  });

  it.each(
    (["polled", "threaded"] as const).flatMap((transport) =>
      ["SIGTERM", "tvix unmount --force", "umount --force"].map((way) => ({ way, transport })),
    ),
  )("ends by $way while many requests hang: $transport", async ({ way, transport }) => {
    const mount = await mountThatHangs(transport);
    const hung = await startHungUsers(mount.path);
    const elapsed = await timed(async () => {
      if (way === "SIGTERM") mount.running.child.kill("SIGTERM");
      else if (way === "umount --force") await shell('umount -f "$1"', mount.path);
      else await rig.sandbox.run(["unmount", "--force", mount.path]);
      expect(await mount.running.outcome).toMatchObject({ status: 0, signal: null });
      await until(() => !isMounted(mount.path));
    });
    expect(elapsed).toBeLessThan(END_MS);
    await endUser(hung);
  });
});
