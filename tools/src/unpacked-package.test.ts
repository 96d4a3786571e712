import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { unpackDependency } from "./unpacked-package.js";

describe("unpackDependency()", () => {
  let directory = "";

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "tvix-unpack-"));
    vi.stubEnv("PATH", `${directory}${delimiter}/usr/bin${delimiter}/bin`);
    await addProgram("apt-cache", 'echo "$2"; echo "  Depends: $2-1.2"; echo "  Breaks: other"');
    await addProgram("apt-get", ': > "$3_1.2_all.deb"');
    await addProgram("dpkg-deb", 'mkdir "$3" && echo "$2" > "$3/content"');
  });

  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true });
  });

  async function addProgram(name: string, script: string): Promise<void> {
    await writeFile(join(directory, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(directory, name), 0o755);
  }

  it("unpacks what the package depends on, and leaves nothing else behind", async () => {
    const folder = join(directory, "cache", "kernel");
    expect(await unpackDependency("linux", folder)).toBeUndefined();
    expect(await readFile(join(folder, "content"), "utf8")).toBe("linux-1.2_1.2_all.deb\n");
    expect(await readdir(join(directory, "cache"))).toEqual(["kernel"]);
  });

  it.each([
    ["apt-cache", "echo nothing", "depends on nothing that is known"],
    ["apt-get", "echo no network; exit 100", "apt-get download linux-1.2 failed:\nno network"],
    ["dpkg-deb", "echo broken; exit 2", "dpkg-deb -x linux-1.2_1.2_all.deb failed:\nbroken"],
  ])("tells that %s failed, and leaves nothing behind", async (program, script, message) => {
    await addProgram(program, script);
    const cache = join(directory, "cache");
    expect(await unpackDependency("linux", join(cache, "kernel"))).toContain(message);
    expect(await readdir(cache).catch(() => [])).toEqual([]);
  });
});
