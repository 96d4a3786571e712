import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { noise } from "../cli/trees.js";
import type { Outcome } from "../cli/tvix.js";
import { until } from "../cli/until.js";
import { runProgram } from "../daemon/run.js";
import {
  isMounted,
  MountRig,
  NO_MOUNTS,
  type ServedMount,
  type Transport,
  timed,
} from "./mount-rig.js";
import { endUser, startUser, type Use } from "./users.js";

/** An end may take so long, in ms. */
const END_MS = 2000;

/** How often each way to end a mount is tried. */
const ROUNDS = Number(process.env["TVIX_TEST_ROUNDS"] ?? 1);

/** How long each end took, in ms. */
const endings: number[] = [];

let rig: MountRig;
/** Its base name; large enough that a reader is always in the middle of it. */
let big: string;

beforeAll(async () => {
  rig = await MountRig.create();
  writeFileSync(rig.sandbox.path("big"), noise(64 << 20, 11));
  big = await rig.import("big");
});

afterEach(() => rig.end());

afterAll(async () => {
  await rig.remove();
  tellTimes();
});

interface Way {
  readonly name: string;
  /** Asks for the end. @returns how that ended, where it is a command */
  start(mount: ServedMount): Promise<Outcome | number | null>;
  /** Whether it waits for users to leave. */
  readonly isPatient?: boolean;
  /** Whether users keep it from being done at all. */
  readonly isRefusedInUse?: boolean;
  /** All by default. */
  readonly transports?: readonly Transport[];
}

async function tvixUnmount(path: string, ...options: readonly string[]): Promise<Outcome> {
  return await rig.sandbox.run(["unmount", ...options, path]);
}

async function umount(path: string, ...options: readonly string[]): Promise<number | null> {
  return (await runProgram("umount", [...options, path])).status;
}

function signal(name: NodeJS.Signals): Way {
  return {
    name,
    async start({ running }) {
      running.child.kill(name);
      return null;
    },
  };
}

const WAYS: readonly Way[] = [
  signal("SIGINT"),
  signal("SIGTERM"),
  signal("SIGHUP"),
  { name: "tvix unmount", isRefusedInUse: true, start: ({ path }) => tvixUnmount(path) },
  {
    name: "tvix unmount --lazy",
    isPatient: true,
    start: ({ path }) => tvixUnmount(path, "--lazy"),
  },
  { name: "tvix unmount --force", start: ({ path }) => tvixUnmount(path, "--force") },
  { name: "umount", isRefusedInUse: true, start: ({ path }) => umount(path) },
  { name: "umount --lazy", isPatient: true, start: ({ path }) => umount(path, "--lazy") },
  { name: "umount --force", start: ({ path }) => umount(path, "--force") },
  {
    name: "SIGTERM and umount --lazy at once",
    // A thread that waits on the device cannot be stopped any more once the mount is out of the tree.
    transports: ["polled"],
    async start({ path, running }) {
      running.child.kill("SIGTERM");
      // Whichever is faster.
      await umount(path, "--lazy");
      return null;
    },
  },
];

const USES: readonly Use[] = ["idle", "busy", "reading"];
const TRANSPORTS: readonly Transport[] = ["polled", "threaded"];

const CASES = TRANSPORTS.flatMap((transport) =>
  WAYS.filter(({ transports = TRANSPORTS }) => transports.includes(transport)).flatMap((way) =>
    USES.map((use) => ({ transport, way, use, name: way.name })),
  ),
);

const ROUNDS_OF_CASES = Array.from({ length: ROUNDS }, () => CASES).flat();

/** Tells how it went where that was asked for by a number of rounds. */
function tellTimes(): void {
  if (ROUNDS === 1 || endings.length === 0) return;
  const sorted = endings.toSorted((a, b) => a - b);
  const [middle, worst] = [sorted[sorted.length >> 1], sorted.at(-1)].map((ms) => ms?.toFixed());
  process.stderr.write(`${endings.length} ends of mounts: ${middle} ms, at most ${worst} ms\n`);
}

function statusOf(result: Outcome | number | null): number | null {
  return typeof result === "object" && result !== null ? result.status : result;
}

describe.skipIf(NO_MOUNTS)("a mount", () => {
  it.each(ROUNDS_OF_CASES)("ends by $name: $use, $transport", async ({ transport, way, use }) => {
    const mount = await rig.mount({ transport });
    const user = await startUser(use, mount.path, big);
    let outcome: Outcome | undefined;
    const elapsed = await timed(async () => {
      const status = statusOf(await way.start(mount));
      const isRefused = way.isRefusedInUse === true && status !== 0;
      // Somebody who reads is sometimes between two reads, and then it is not in use.
      if (way.isRefusedInUse === true && use !== "reading") expect(isRefused).toBe(use === "busy");
      if (isRefused) {
        expect(isMounted(mount.path)).toBe(true);
        await endUser(user);
        // What was killed in the middle of a read has the file open until that is answered.
        await until(async () => (await umount(mount.path)) === 0);
      }
      if (way.isPatient === true) {
        expect(isMounted(mount.path)).toBe(false);
        if (use === "busy") await endUser(user);
      }
      outcome = await mount.running.outcome;
      await until(() => !isMounted(mount.path));
    });
    endings.push(elapsed);
    expect(outcome).toMatchObject({ status: 0, signal: null });
    expect(elapsed).toBeLessThan(END_MS);
    await endUser(user);
  });

  it.each(TRANSPORTS)(
    "that is in use says who uses it, and how to force it: %s",
    async (transport) => {
      const mount = await rig.mount({ transport });
      const user = await startUser("busy", mount.path, big);
      const holder = new RegExp(
        `process ${user?.pid} \\((?:cat|sh)\\): working directory ${mount.path}`,
      );
      const refused = await tvixUnmount(mount.path);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toMatch(holder);
      expect(refused.stderr).toMatch(/--lazy .* --force/);
      mount.running.child.kill("SIGTERM");
      const { status, stderr } = await mount.running.outcome;
      expect(status).toBe(0);
      expect(stderr).toMatch(holder);
      await endUser(user);
    },
  );

  it("that is in use ends at once by a second signal, and nothing stays", async () => {
    const mount = await rig.mount();
    const user = await startUser("busy", mount.path, big);
    mount.running.child.kill("SIGTERM");
    await until(() => !isMounted(mount.path));
    mount.running.child.kill("SIGTERM");
    expect(await mount.running.outcome).toMatchObject({ status: null, signal: "SIGTERM" });
    await endUser(user);
  });

  it.each(USES)("whose process is killed is taken over: %s", async (use) => {
    const killed = await rig.mount();
    const user = await startUser(use, killed.path, big);
    killed.running.child.kill("SIGKILL");
    await killed.running.outcome;
    expect(isMounted(killed.path)).toBe(true);
    const again = await rig.mount({ path: killed.path });
    expect(again.running.stderr()).toContain("is taken over");
    const { stdout } = await runProgram("stat", ["-c", "%s", join(again.path, big)]);
    expect(stdout.toString()).toBe(`${64 << 20}\n`);
    await endUser(user);
    expect(await tvixUnmount(again.path)).toMatchObject({ status: 0 });
    expect(isMounted(again.path)).toBe(false);
    expect((await again.running.outcome).status).toBe(0);
  });

  it.each(USES)("whose process is killed is unmounted by tvix unmount: %s", async (use) => {
    const killed = await rig.mount();
    const user = await startUser(use, killed.path, big);
    killed.running.child.kill("SIGKILL");
    await killed.running.outcome;
    const outcome = await tvixUnmount(killed.path, ...(use === "busy" ? ["--lazy"] : []));
    expect(outcome).toMatchObject({ status: 0 });
    expect(isMounted(killed.path)).toBe(false);
    await endUser(user);
  });

  it("that is mounted twice is refused, with what to do", async () => {
    const { path } = await rig.mount();
    const second = await rig.sandbox.run(["mount", path]);
    expect(second.status).toBe(1);
    expect(second.stderr).toContain(`unmount it first: tvix unmount ${path}`);
  });

  it("that somebody has moved ends where it is now", async () => {
    const mount = await rig.mount();
    const elsewhere = rig.newMountPoint();
    // A mount below one that is shared cannot be moved.
    await runProgram("mount", ["--bind", mount.path, elsewhere]);
    mount.running.child.kill("SIGTERM");
    expect((await mount.running.outcome).status).toBe(0);
    expect([isMounted(mount.path), isMounted(elsewhere)]).toEqual([false, false]);
  });
});

describe.skipIf(NO_MOUNTS)("tvix unmount", () => {
  it("says when nothing is mounted", async () => {
    const path = rig.newMountPoint();
    expect(await tvixUnmount(path)).toMatchObject({
      status: 3,
      stderr: `tvix: cannot unmount ${path}: nothing is mounted there\n`,
    });
    expect(await tvixUnmount(join(path, "missing"))).toMatchObject({ status: 3 });
  });

  it("leaves mounts of others alone", async () => {
    const outcome = await tvixUnmount("/proc");
    expect(outcome).toMatchObject({ status: 3 });
    expect(outcome.stderr).toContain("not a mount of tvix but of type proc");
  });
});
