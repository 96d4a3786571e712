import fs from "node:fs";
import path from "node:path";
import { describe, expect, it, vi } from "vitest";
import { CastoreError } from "../errors.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import {
  checkFormat,
  fileError,
  isNodeError,
  prepareDirectory,
  quarantineIndex,
  storeLayout,
} from "./layout.js";

const scratch = scratchDirectory();

function refusal(action: () => unknown): CastoreError {
  try {
    action();
  } catch (error) {
    if (CastoreError.is(error)) return error;
    throw error;
  }
  return expect.fail("It was not refused");
}

describe("prepareDirectory()", () => {
  it("makes a store, also below directories that do not exist, and leaves one that is there", () => {
    const layout = storeLayout(scratch("a/b/c"));
    expect(checkFormat(layout)).toBe(false);
    prepareDirectory(layout);
    expect(fs.readFileSync(scratch("a/b/c/FORMAT"), "utf8")).toBe("tvix-store 3\n");
    expect(fs.readdirSync(layout.directory).sort()).toEqual(["FORMAT", "packs"]);
    fs.writeFileSync(path.join(layout.packs, "00000001.pack"), "x");
    prepareDirectory(layout);
    expect(checkFormat(layout)).toBe(true);
    expect(fs.readdirSync(layout.packs)).toEqual(["00000001.pack"]);
  });

  it("says where none can be made, at once", ({ skip }) => {
    if (!fs.existsSync("/proc/self")) skip("there is no /proc");
    const error = refusal(() => prepareDirectory(storeLayout("/proc/x/store")));
    expect(error.message).toMatch(/^Cannot make a store in \/proc\/x\/store: ENOENT/);
    fs.writeFileSync(scratch("file"), "");
    const inFile = refusal(() => prepareDirectory(storeLayout(scratch("file/a/b"))));
    expect(inFile.message).toContain("ENOTDIR");
    fs.symlinkSync("nowhere", scratch("link"));
    expect(refusal(() => prepareDirectory(storeLayout(scratch("link/a")))).code).toBe("STORAGE");
  });

  it("refuses a directory with other things in it, and touches nothing there", () => {
    fs.writeFileSync(scratch("holiday.jpg"), "");
    const error = refusal(() => prepareDirectory(storeLayout(scratch())));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toMatch(/the directory is not empty and not a store$/);
    expect(fs.readdirSync(scratch())).toEqual(["holiday.jpg"]);
  });

  it.each(["lock", "lock.json", "lock-journal", "daemon.sock", "FORMAT.123.tmp", "FORMAT.1-2.tmp"])(
    "goes on where a crash left %s and no FORMAT",
    (name) => {
      fs.writeFileSync(scratch(name), "");
      prepareDirectory(storeLayout(scratch()));
      expect(checkFormat(storeLayout(scratch()))).toBe(true);
    },
  );

  it("takes the store that another process makes at the same time", () => {
    const readdir = vi.spyOn(fs, "readdirSync");
    readdir.mockImplementationOnce(() => {
      fs.writeFileSync(scratch("FORMAT"), "tvix-store 3\n");
      return ["FORMAT", "meta.sqlite"] as never;
    });
    prepareDirectory(storeLayout(scratch()));
    readdir.mockRestore();
    expect(fs.readdirSync(scratch()).sort()).toEqual(["FORMAT", "packs"]);
  });

  it("says that a file is no place for a store", () => {
    fs.writeFileSync(scratch("file"), "");
    const error = refusal(() => prepareDirectory(storeLayout(scratch("file"))));
    expect(error.code).toBe("STORAGE");
    expect(error.message).toContain("Cannot make a store in");
    expect(error.cause).toBeInstanceOf(Error);
  });
});

describe("checkFormat()", () => {
  it.each([
    [4, "use a newer version of tvix"],
    [10, "use a newer version of tvix"],
    [2, "use the version of tvix that made it, or import its content again elsewhere"],
    [0, "use the version of tvix that made it, or import its content again elsewhere"],
  ])("refuses format %s, naming both versions and what to do", (version, advice) => {
    fs.writeFileSync(scratch("FORMAT"), `tvix-store ${version}\n`);
    const error = refusal(() => checkFormat(storeLayout(scratch())));
    expect(error.code).toBe("UNSUPPORTED");
    expect(error.message).toContain(`it has format ${version}, this program knows 3; ${advice}`);
  });

  it.each(["", "tvix-store", "tvix-store 1", "tvix-store one\n", "other 1\n", "tvix-store 1\n\n"])(
    "calls %o damaged",
    (text) => {
      fs.writeFileSync(scratch("FORMAT"), text);
      const error = refusal(() => checkFormat(storeLayout(scratch())));
      expect(error.code).toBe("CORRUPT");
      expect(error.message).toContain("its FORMAT file is damaged");
    },
  );

  it("refuses what cannot be read", () => {
    fs.mkdirSync(scratch("FORMAT"));
    expect(refusal(() => checkFormat(storeLayout(scratch()))).code).toBe("STORAGE");
  });
});

describe("quarantineIndex()", () => {
  it("keeps what there was", () => {
    const layout = storeLayout(scratch());
    fs.writeFileSync(layout.index, "database");
    fs.writeFileSync(`${layout.index}-wal`, "log");
    quarantineIndex(layout);
    expect(fs.readdirSync(scratch())).toEqual(["quarantine"]);
    const kept = fs.readdirSync(layout.quarantine).sort();
    expect(kept.map((name) => name.replace(/^meta-.*\.sqlite/, ""))).toEqual(["", "-wal"]);
    expect(fs.readFileSync(path.join(layout.quarantine, kept[0] ?? ""), "utf8")).toBe("database");
  });
});

describe("fileError()", () => {
  it.each([
    ["EACCES", "PERMISSION_DENIED"],
    ["EPERM", "PERMISSION_DENIED"],
    ["EROFS", "PERMISSION_DENIED"],
    ["ENOSPC", "STORAGE"],
    ["EIO", "STORAGE"],
  ])("makes of %s an error with code %s", (system, code) => {
    const cause = Object.assign(new Error(`${system}: simulated`), { code: system });
    const error = fileError(cause, "Cannot do it");
    expect(error).toMatchObject({ code, cause, message: `Cannot do it: ${system}: simulated` });
    expect(isNodeError(cause, system)).toBe(true);
  });
});
