import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { ChannelRequest } from "../channel/channel.js";
import { findMountHolders } from "./holders.js";
import { type DeviceMount, MOUNT_TYPE, mountDevice, setReadAhead } from "./mount-device.js";
import { isDeadMount, locateMountPoint } from "./mount-point.js";
import { mountAt, mountsOn, parseMountTable, readMountTable } from "./mount-table.js";
import { forceUnmount, removeMount, unmountPath } from "./unmount.js";

const run = promisify(execFile);

const [GETATTR, STATFS, INIT, OPENDIR] = [3, 17, 26, 27];
const ENOSYS = 38;

/** Answers as an empty directory would; just enough of the protocol (linux/fuse.h, version 7.31). */
function answer(request: ChannelRequest): void {
  const { bytes } = request;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const opcode = view.getUint32(4, true);
  const length = new Map([
    [GETATTR, 104],
    [STATFS, 80],
    [INIT, 64],
    [OPENDIR, 16],
  ]).get(opcode);
  const isAnswered = ![2, 36, 42].includes(opcode);
  const reply = new DataView(new ArrayBuffer(16 + (length ?? 0)));
  reply.setUint32(0, reply.byteLength, true);
  reply.setInt32(4, length === undefined ? -ENOSYS : 0, true);
  reply.setBigUint64(8, view.getBigUint64(8, true), true);
  if (opcode === INIT) {
    reply.setUint32(16, 7, true);
    reply.setUint32(20, 31, true);
    reply.setUint32(24, 1 << 20, true);
    reply.setUint32(36, 4096, true);
  }
  if (opcode === GETATTR) {
    reply.setBigUint64(32, 1n, true);
    reply.setUint32(32 + 60, 0o40755, true);
    reply.setUint32(32 + 64, 2, true);
  }
  request.reply(isAnswered ? [new Uint8Array(reply.buffer)] : []);
}

let directory: string;
let point: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "tvix-mount-"));
  point = join(directory, "mount point");
  mkdirSync(point);
});

afterEach(async () => {
  for (let i = 0; i < 3 && mountAt(await readMountTable(), point) !== undefined; i++) {
    await unmountPath(point, "lazy");
  }
  rmSync(directory, { recursive: true });
});

/** A mount that is served, and when that ended. */
async function served(
  withoutNative: boolean,
): Promise<{ mount: DeviceMount; ended: Promise<void> }> {
  const mount = await mountDevice(point, { withoutNative });
  return { mount, ended: mount.channel.serve(answer) };
}

/** A process whose working directory is the mount. */
async function hold(): Promise<ChildProcess> {
  // Not by the option `cwd`: until the directory has answered, this process would wait.
  const holder = spawn("sh", ["-c", 'cd "$0" && echo in && exec cat', point], {
    stdio: ["pipe", "pipe", "ignore"],
  });
  await once(holder.stdout, "data");
  return holder;
}

/** A mount over another, whose name has a blank. */
const TABLE = [
  "22 1 8:1 / / rw - ext4 /dev/sda1 rw",
  "30 22 0:40 / /mnt/a\\040b rw shared:5 master:2 - fuse.tvix tvix-store ro",
  "31 30 0:41 /x /mnt/a\\040b rw - tmpfs tmpfs rw",
  "32 31 0:42 / /mnt/a\\040b/c rw - proc proc rw",
  "",
].join("\n");

describe("parseMountTable()", () => {
  const table = parseMountTable(new TextEncoder().encode(TABLE));

  it("reads all lines", () => {
    expect(table).toHaveLength(4);
    expect(table[1]).toEqual({
      id: 30,
      parentId: 22,
      device: "0:40",
      mountPoint: new TextEncoder().encode("/mnt/a b"),
      type: "fuse.tvix",
    });
  });

  it("finds what is on top, and what is on that", () => {
    const top = mountAt(table, "/mnt/a b");
    expect(top?.type).toBe("tmpfs");
    expect(mountsOn(table, top ?? expect.unreachable()).map(({ type }) => type)).toEqual(["proc"]);
    expect(mountAt(table, "/mnt/a")).toBeUndefined();
  });
});

describe("locateMountPoint()", () => {
  it("follows links and cleans up", async () => {
    symlinkSync(point, join(directory, "link"));
    symlinkSync("link", join(directory, "link2"));
    const expected = { path: point, mounted: undefined };
    expect(await locateMountPoint(`${directory}/./link2/`)).toEqual(expected);
  });

  it("fails where there is nothing", async () => {
    const missing = join(directory, "no", "such");
    await expect(locateMountPoint(missing)).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("finds the root of the tree", async () => {
    expect((await locateMountPoint("/")).mounted).toBeDefined();
  });
});

describe.each([
  { how: "with native code", withoutNative: false },
  { how: "without native code", withoutNative: true },
])("mountDevice() $how", ({ withoutNative }) => {
  it("mounts, and ends when it is unmounted", async () => {
    const { mount, ended } = await served(withoutNative);
    expect(mount.isThreaded).toBe(withoutNative);
    const { mounted } = await locateMountPoint(point);
    expect(mounted).toMatchObject({ type: MOUNT_TYPE, device: mount.device });
    expect((await run("stat", ["-c", "%a %h", point])).stdout).toBe("755 2\n");
    expect(await isDeadMount(point)).toBe(false);
    expect(await setReadAhead(mount, 512)).toBe(true);
    expect((await run("cat", [`/sys/class/bdi/${mount.device}/read_ahead_kb`])).stdout).toBe(
      "512\n",
    );
    expect(await unmountPath(point, "plain")).toBe(true);
    await ended;
    expect((await locateMountPoint(point)).mounted).toBeUndefined();
  });

  it("says who holds it, and ends after the last one left", async () => {
    const { mount, ended } = await served(withoutNative);
    const holder = await hold();
    expect(await unmountPath(point, "plain")).toBe(false);
    const { mounted } = await locateMountPoint(point);
    const holders = await findMountHolders(mounted ?? expect.unreachable());
    expect(holders).toEqual([
      {
        pid: holder.pid,
        name: expect.stringMatching(/^(cat|sh)$/),
        use: "working directory",
        path: point,
      },
    ]);
    expect(mount.path).toBe(point);
    expect(await unmountPath(point, "lazy")).toBe(true);
    expect(mountAt(await readMountTable(), point)).toBeUndefined();
    holder.kill();
    await ended;
  });

  it("is dead when its connection is, and can be unmounted then", async () => {
    const { ended } = await served(withoutNative);
    const holder = await hold();
    // It ends the connection at once, and the mount stays because somebody uses it.
    await expect(run("umount", ["-f", point])).rejects.toThrow("busy");
    await ended;
    expect(await isDeadMount(point)).toBe(true);
    expect((await locateMountPoint(point)).mounted?.type).toBe(MOUNT_TYPE);
    expect(await unmountPath(point, "plain")).toBe(false);
    holder.kill();
    await once(holder, "exit");
    expect(await unmountPath(point, "plain")).toBe(true);
  });

  it("is unmounted by force while it is used", async () => {
    const { mount, ended } = await served(withoutNative);
    const holder = await hold();
    await forceUnmount(mount);
    await ended;
    expect(mountAt(await readMountTable(), point)).toBeUndefined();
    holder.kill();
  });
});

describe("removeMount()", () => {
  it.each(["plain", "lazy"] as const)("takes away the mount it is told, %s", async (mode) => {
    const { mount, ended } = await served(false);
    const other = { path: point, device: "0:0" };
    expect(await removeMount(other, mode)).toBe(true);
    expect(mountAt(await readMountTable(), point)?.device).toBe(mount.device);
    expect(await removeMount(mount, mode)).toBe(true);
    await ended;
    expect(mountAt(await readMountTable(), point)).toBeUndefined();
    expect(await removeMount(mount, mode)).toBe(true);
  });

  it("does not mind that somebody else does the same", async () => {
    const { mount, ended } = await served(false);
    const all = Array.from({ length: 4 }, () => removeMount(mount, "plain"));
    expect(await Promise.all(all)).toContain(true);
    await ended;
    expect(mountAt(await readMountTable(), point)).toBeUndefined();
  });
});

describe("mountDevice()", () => {
  it("refuses a file", async () => {
    const file = join(directory, "file");
    writeFileSync(file, "");
    await expect(mountDevice(file)).rejects.toMatchObject({
      code: "INVALID_ARGUMENT",
      message: `Cannot mount at ${file}: it is not a directory`,
    });
  });

  it("leaves nothing open when it fails", async () => {
    await expect(mountDevice(join(directory, "missing"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("unmountPath()", () => {
  it("fails where nothing is mounted", async () => {
    await expect(unmountPath(point, "plain")).rejects.toMatchObject({
      code: "SYSTEM",
      message: expect.stringContaining("not mounted"),
    });
  });
});
