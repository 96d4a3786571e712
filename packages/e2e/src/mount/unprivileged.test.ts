import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TVIX } from "../cli/tvix.js";
import { skipReason } from "../daemon/requirement.js";
import { type ProgramOutcome, runProgram } from "../daemon/run.js";
import { MountRig, NO_MOUNTS } from "./mount-rig.js";

/** Somebody without any rights: `nobody` of Debian. */
const UID = 65534;

let rig: MountRig;
let name: string;
const AS_USER = ["--reuid", String(UID), "--regid", String(UID), "--clear-groups"];
/** Whether another user may run the program under test at all. */
const canRun =
  NO_MOUNTS === undefined
    ? (await runProgram("setpriv", [...AS_USER, process.execPath, TVIX, "--version"])).status === 0
    : false;
const NO_USER = NO_MOUNTS ?? skipReason(canRun, "a place where other users can run tvix");

beforeAll(async () => {
  if (NO_USER !== undefined) return;
  rig = await MountRig.create();
  mkdirSync(rig.sandbox.path("tree"));
  writeFileSync(rig.sandbox.path("tree/file"), "for users\n");
  name = await rig.import(rig.sandbox.path("tree"));
  mkdirSync(rig.sandbox.path("mnt"));
  chmodSync(rig.sandbox.directory, 0o755);
  await runProgram("chown", ["-R", `${UID}:${UID}`, rig.sandbox.directory]);
});

afterAll(() => rig?.remove());

/**
 * Runs a shell script as somebody without rights, where nobody else sees its mounts, and with a `/dev/fuse`
 * of its own mode. `$tvix` is the command, `$mnt` the place to mount on.
 */
async function asUser(
  script: string,
  { deviceMode = "666", path = process.env["PATH"] ?? "" } = {},
): Promise<ProgramOutcome> {
  const device = rig.sandbox.path(`fuse-${deviceMode}`);
  const setUp = [
    `test -e "${device}" || mknod -m ${deviceMode} "${device}" c 10 229`,
    `mount --bind "${device}" /dev/fuse`,
    `exec setpriv ${AS_USER.join(" ")} sh -e "$0"`,
  ].join("\n");
  const file = rig.sandbox.path("script");
  const words = [
    `PATH='${path}'; export PATH; HOME='${rig.sandbox.directory}'; export HOME`,
    `TVIX_DATA_DIR='${rig.sandbox.path("data")}'; export TVIX_DATA_DIR`,
    `mnt='${rig.sandbox.path("mnt")}'`,
    `tvix() { '${process.execPath}' '${TVIX}' "$@"; }`,
    // Processes in the background would hold this test up otherwise.
    "trap 'fusermount3 -u -z \"$mnt\" 2>/dev/null || true' EXIT",
  ];
  writeFileSync(file, `${[...words, script].join("\n")}\n`);
  return await runProgram("unshare", [
    "--mount",
    "--propagation",
    "private",
    "sh",
    "-ec",
    setUp,
    file,
  ]);
}

/** Runs a script that must succeed. @returns what it wrote */
async function userText(script: string): Promise<string> {
  const { status, stdout, stderr } = await asUser(script);
  if (status !== 0) throw new Error(`Ended with ${status}: ${stderr}`);
  return stdout.toString("utf8");
}

describe.skipIf(NO_USER)("a user without rights", () => {
  it("mounts, reads and unmounts", async () => {
    const script = `
      tvix mount --list-root "$mnt"
      ls "$mnt"
      cat "$mnt"/*/file
      grep -c " $mnt fuse.tvix ro,nosuid,nodev" /proc/self/mounts
      tvix unmount -q "$mnt"
      grep -c " $mnt " /proc/self/mounts || true`;
    expect(await userText(script)).toBe(`${name}\nfor users\n1\n0\n`);
  });

  it("gets to know who uses it, and forces it", async () => {
    const script = `
      tvix mount "$mnt" ${"$name"}
      (cd "$mnt" && exec sleep 60) & user=$!
      until test "$(readlink /proc/$user/cwd)" = "$mnt"; do :; done
      tvix unmount "$mnt" 2>&1 | grep -c "process $user (s[hleep]*): working directory $mnt"
      tvix unmount -q --lazy "$mnt"
      grep -c " $mnt " /proc/self/mounts || true
      kill $user`;
    expect(await userText(script.replace("$name", name))).toBe("1\n0\n");
  });

  it.each(["TERM", "INT", "HUP"])("ends it by SIG%s while it is used", async (signal) => {
    const script = `
      mkfifo "$HOME/ready-${signal}"
      tvix mount --foreground "$mnt" ${"$name"} 2> "$HOME/ready-${signal}" & server=$!
      exec 3< "$HOME/ready-${signal}"
      read line <&3
      (cd "$mnt" && exec sleep 60) & user=$!
      until test "$(readlink /proc/$user/cwd)" = "$mnt"; do :; done
      pid=$(pgrep -P $server || echo $server)
      kill -${signal} $pid
      wait $server
      grep -c "it is unmounted, and ends for them" <&3
      grep -c " $mnt " /proc/self/mounts || true
      kill $user`;
    expect(await userText(script.replace("$name", name))).toBe("1\n0\n");
  });

  it("takes over what a killed process has left", async () => {
    const script = `
      tvix mount "$mnt" ${"$name"}
      kill -9 $(pgrep -f "mount $mnt ${"$name"}")
      until stat -f "$mnt" 2>&1 | grep -q "not connected"; do :; done
      tvix mount "$mnt" ${"$name"} 2>&1 | grep -c "is taken over"
      cat "$mnt/file"
      tvix unmount -q "$mnt"`;
    expect(await userText(script.replaceAll("$name", name))).toBe("1\nfor users\n");
  });

  it("learns that the package fuse3 is missing", async () => {
    const { status, stderr } = await asUser('tvix mount "$mnt"', { path: "/nowhere" });
    expect(stderr).toContain("install the package fuse3, or do it as root");
    expect(status).toBe(1);
  });

  it("learns that the device is closed to users", async () => {
    const { status, stderr } = await asUser('tvix mount "$mnt"', { deviceMode: "600" });
    expect(stderr).toContain("/dev/fuse is missing or not accessible to this user");
    expect(status).toBe(1);
  });

  it("is not allowed to let others in, unless fuse.conf permits it", async () => {
    const { status, stderr } = await asUser('tvix mount --allow-other "$mnt"; tvix unmount "$mnt"');
    if (status !== 0) expect(stderr).toContain("user_allow_other");
    else expect(stderr).toContain("unmounted");
  });
});
