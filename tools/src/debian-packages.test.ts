import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  ensureDebianPackages,
  findProgram,
  hasPythonModule,
  NO_APT_VARIABLE,
} from "./debian-packages.js";

const NEED = { program: "tvix-test-tool", debianPackage: "test-tool", purpose: "testing" };

describe("ensureDebianPackages()", () => {
  let folder = "";
  let said: string[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tvix-path-"));
    said = [];
    vi.stubEnv("PATH", folder);
    vi.stubEnv(NO_APT_VARIABLE, undefined);
    vi.spyOn(process, "getuid").mockReturnValue(0);
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true });
  });

  async function addProgram(name: string, script: string): Promise<void> {
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, name), 0o755);
  }

  const ensure = () => ensureDebianPackages([NEED], (line) => said.push(line));

  it("does and says nothing when everything is there", async () => {
    await addProgram("tvix-test-tool", "");
    expect(await ensure()).toEqual([]);
    expect(said).toEqual([]);
  });

  it("installs what is missing with apt-get and says so", async () => {
    const tool = join(folder, "tvix-test-tool");
    await addProgram(
      "apt-get",
      `case "$*" in *"install "*test-tool*) : > ${tool}; /bin/chmod +x ${tool};; esac`,
    );
    expect(await ensure()).toEqual([]);
    expect(said).toEqual(["Installing Debian packages: test-tool"]);
  });

  it("reports what apt-get could not install", async () => {
    await addProgram("apt-get", "echo no network; exit 100");
    expect(await ensure()).toEqual([NEED]);
    expect(said.join("\n")).toContain("apt-get install failed with exit code 100:\nno network");
    expect(said.at(-1)).toBe(
      "Missing tvix-test-tool, needed for testing (Debian package test-tool)",
    );
  });

  it("wants the modules of Python that it is told to want", async () => {
    const module = {
      pythonModule: "tvix_no_such_module",
      debianPackage: "python3-tvix",
      purpose: "testing",
    };
    expect(await ensureDebianPackages([module], (line) => said.push(line))).toEqual([module]);
    expect(said).toEqual([
      expect.stringContaining("Missing the Python module tvix_no_such_module, needed for testing"),
    ]);
  });

  it.each([
    ["apt-get is not there", async () => {}, "there is no apt-get"],
    [
      "the variable is set",
      async () => void vi.stubEnv(NO_APT_VARIABLE, "1"),
      "TVIX_NO_APT is set",
    ],
    [
      "this is not root",
      async () => {
        await addProgram("apt-get", "exit 1");
        vi.mocked(process.getuid ?? (() => 0)).mockReturnValue(1000);
      },
      "this needs root",
    ],
  ])("installs nothing when %s", async (_, prepare, reason) => {
    await prepare();
    expect(await ensure()).toEqual([NEED]);
    expect(said).toEqual([expect.stringContaining(`not installed here: ${reason}`)]);
  });
});

describe("findProgram()", () => {
  it("finds node and no program that does not exist", () => {
    expect(findProgram("node")).toMatch(/\/node$/);
    expect(findProgram("tvix-no-such-program")).toBeUndefined();
  });
});

describe("hasPythonModule()", () => {
  let folder = "";
  let python = "";

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "tvix-python-"));
    python = join(folder, "python");
    await writeFile(python, '#!/bin/sh\n[ "$1 $2" = "-c import grpc_tools.protoc" ]\n');
    await chmod(python, 0o755);
  });

  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it("asks Python", () => {
    expect(hasPythonModule("grpc_tools.protoc", python)).toBe(true);
    expect(hasPythonModule("grpc_tools.other", python)).toBe(false);
  });

  it("finds nothing where there is no Python", () => {
    expect(hasPythonModule("grpc", join(folder, "none"))).toBe(false);
  });
});
