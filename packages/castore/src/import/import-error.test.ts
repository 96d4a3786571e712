import fs from "node:fs";
import { describe, expect, it } from "vitest";
import { CastoreError, type CastoreErrorCode } from "../errors.js";
import { ImportError, type ImportErrorReason, importError } from "./import-error.js";

describe("ImportError", () => {
  it.each<[ImportErrorReason, CastoreErrorCode]>([
    ["not-found", "INVALID_ARGUMENT"],
    ["unsupported-type", "INVALID_ARGUMENT"],
    ["changed", "UNAVAILABLE"],
    ["access-denied", "PERMISSION_DENIED"],
    ["invalid", "INVALID_ARGUMENT"],
    ["io", "STORAGE"],
  ])("with reason %s has code %s", (reason, code) => {
    const error = ImportError.at(reason, "/a", "it is so");
    expect(error).toMatchObject({ name: "ImportError", reason, code, path: "/a" });
    expect(error.message).toBe('Cannot import "/a": it is so');
    expect(CastoreError.is(error, code)).toBe(true);
  });

  it("names a path without what could drive a terminal or end a line", () => {
    const error = ImportError.at("io", '/a\n\x1b[2J"\xff', "what");
    expect(error.path).toBe("/a\\x0a\\x1b[2J\\x22\\xff");
    expect(error.message).toBe(`Cannot import "${error.path}": what`);
    expect(ImportError.at("io", "/\xc3\xa9", "what").path).toBe("/\u00e9");
  });

  it("is the same after its parts went to another thread", () => {
    const error = ImportError.at("changed", "/\x01", "it did", { cause: "why" });
    const { reason, path, message, cause } = error;
    const restored = ImportError.restore(reason, path, message, { cause });
    for (const key of ["name", "reason", "code", "path", "message", "cause"] as const)
      expect(restored[key]).toEqual(error[key]);
  });
});

describe("importError()", () => {
  it.each<[string, number, ImportErrorReason]>([
    ["ENOENT", -2, "not-found"],
    ["ENOTDIR", -20, "not-found"],
    ["EACCES", -13, "access-denied"],
    ["EPERM", -1, "access-denied"],
    ["EISDIR", -21, "changed"],
    ["ENXIO", -6, "unsupported-type"],
    ["ESPIPE", -29, "unsupported-type"],
    ["EIO", -5, "io"],
    ["ELOOP", -40, "io"],
    ["EMFILE", -24, "io"],
    ["ENAMETOOLONG", -36, "io"],
    ["Unknown system error -116", -116, "io"],
  ])("takes %s as it is meant", (code, errno, reason) => {
    const cause = Object.assign(new Error(`${code}: text, open '/\x1b'`), { code, errno });
    const error = importError(cause, "/f");
    expect(error.reason).toBe(reason);
    expect(error.cause).toBe(cause);
    expect(error.message).not.toContain("\x1b");
  });

  it("leaves an ImportError as it is", () => {
    const error = ImportError.at("changed", "/a", "it did");
    expect(importError(error, "/b")).toBe(error);
  });

  it.each([new Error("text"), "text"])("keeps what is no error of the system: %s", (cause) => {
    const error = importError(cause, "/f");
    expect(error).toMatchObject({ reason: "io", message: 'Cannot import "/f": text', cause });
  });

  it("takes what Node really throws", () => {
    let cause: unknown;
    try {
      fs.openSync("/nowhere/at all\x1b", "r");
    } catch (error) {
      cause = error;
    }
    expect(importError(cause, "/nowhere").message).toBe(
      'Cannot import "/nowhere": no such file or directory',
    );
  });
});
