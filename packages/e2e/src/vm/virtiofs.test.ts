import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Running, Sandbox } from "../cli/tvix.js";
import { until } from "../cli/until.js";
import { skipReason } from "../daemon/requirement.js";
import { type Guest, type GuestOptions, startGuest } from "./guest.js";
import { findGuestParts } from "./guest-parts.js";
import { buildTree, REPORT_SCRIPT, reportOf } from "./tree-report.js";

const parts = findGuestParts();
const reason = skipReason(typeof parts !== "string", typeof parts === "string" ? parts : "");

describe.skipIf(reason !== undefined)("tvix virtiofs", () => {
  let sandbox: Sandbox;
  let server: Running;
  let socketPath = "";
  let report: readonly string[] = [];
  /** Base names of store paths. */
  let tree = "";
  const guests: Guest[] = [];

  beforeAll(async () => {
    sandbox = await Sandbox.create();
    const source = sandbox.path("tree");
    mkdirSync(source);
    buildTree(source);
    report = reportOf(source);
    tree = baseName(await sandbox.text(["import", source]));
    socketPath = sandbox.path("socket");
    server = sandbox.start(["virtiofs", "--list-root", socketPath]);
    await until(() => server.stderr().includes("virtual machines can connect"));
  });

  afterEach(() => {
    for (const guest of guests.splice(0)) guest.kill();
  });

  afterAll(async () => {
    await sandbox.remove();
  });

  function start(script: string, options: Partial<GuestOptions> = {}): Guest {
    if (typeof parts === "string") throw new Error(parts);
    const guest = startGuest(parts, {
      socketPath,
      directory: sandbox.directory,
      script: `${REPORT_SCRIPT}\n${script}`,
      ...options,
    });
    guests.push(guest);
    return guest;
  }

  it("shows a guest the same files, also after it restarted, and what is imported meanwhile", async () => {
    const marker = sandbox.path("marker");
    writeFileSync(marker, "imported while the guest runs\n");
    const markerName = baseName(await sandbox.text(["import", "--dry-run", marker]));
    const guest = start(`
      mount -t virtiofs store /mnt -o ro || exit 1
      if ls /mnt | grep -q ${markerName}; then
        echo "started again"
        cat /mnt/${markerName}
      else
        test ! -e /mnt/${markerName} && echo "no marker"
        ls /mnt
        /mnt/${tree}/run
        touch /mnt/${tree}/new 2>&1
      fi
      cd /mnt/${tree} && report
      if ! test -e /mnt/${markerName}; then
        echo "waiting for the marker"
        until test -e /mnt/${markerName}; do sleep 0.2; done
        cat /mnt/${markerName}
        reboot -f
      fi
    `);
    await guest.line("waiting for the marker");
    const first = linesOf(guest);
    expect(first.slice(0, 4)).toEqual([
      "no marker",
      tree,
      "it runs",
      `touch: /mnt/${tree}/new: Read-only file system`,
    ]);
    expect(first.slice(4, 8)).toEqual(report);
    await sandbox.text(["import", marker]);
    expect(await guest.ended).toBe(0);
    expect(linesOf(guest).slice(9)).toEqual([
      "imported while the guest runs",
      "started again",
      "imported while the guest runs",
      ...report,
      "the script ended with 0",
    ]);
  });

  it("serves the next guest, with several queues and readers at once, and a second mount", async () => {
    const guest = start(
      `
      mount -t virtiofs store /mnt -o ro || exit 1
      cd /mnt/${tree}
      (report > /tmp/1) & (report > /tmp/2) & (report > /tmp/3) &
      wait
      cat /tmp/1 /tmp/2 /tmp/3
      cd /
      umount /mnt && mount -t virtiofs store /mnt -o ro && cd /mnt/${tree} && report
      `,
      { processors: 2, queues: 4 },
    );
    expect(await guest.ended).toBe(0);
    const expected = [...report, ...report, ...report, ...report];
    expect(linesOf(guest)).toEqual([...expected, "the script ended with 0"]);
  });

  it("serves two guests at once, and goes on when one of them is killed while it reads", async () => {
    const other = start(`
      mount -t virtiofs store /mnt -o ro || exit 1
      cd /mnt/${tree}
      echo "reading"
      while true; do cat large zeros many/* > /dev/null; echo 3 > /proc/sys/vm/drop_caches; done
    `);
    await other.line("reading");
    const guest = start(`
      mount -t virtiofs store /mnt -o ro || exit 1
      echo "mounted"
      cd /mnt/${tree} && report
    `);
    await guest.line("mounted");
    other.kill();
    expect(await guest.ended).toBe(0);
    expect(linesOf(guest).slice(1)).toEqual([...report, "the script ended with 0"]);
    expect(server.child.exitCode).toBeNull();
  });

  it("refuses a second server on the same socket", async () => {
    const second = await sandbox.run(["virtiofs", socketPath]);
    expect(second.status).toBe(1);
    expect(second.stderr).toContain("another process does");
    expect(statSync(socketPath).isSocket()).toBe(true);
  });

  it("ends with SIGTERM, a guest connected or not, and removes its socket", async () => {
    const guest = start("mount -t virtiofs store /mnt -o ro && echo mounted && sleep 1000");
    await guest.line("mounted");
    server.child.kill("SIGTERM");
    const { status, stdout, stderr } = await server.outcome;
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 0, stdout: "" });
    expect(stderr.split("\n").slice(1)).toEqual([""]);
    expect(existsSync(socketPath)).toBe(false);
  });
});

function baseName(storePath: string): string {
  return storePath.replace("/nix/store/", "");
}

/** Lines of the script, without those of the kernel. */
function linesOf(guest: Guest): readonly string[] {
  const lines = guest.console().split(/\r?\n/);
  return lines.filter((line) => line !== "" && !/^\[ *\d+\.\d+\] /.test(line));
}
