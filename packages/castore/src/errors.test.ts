import { describe, expect, it } from "vitest";
import { CastoreError } from "./errors.js";
import { InvalidNameError } from "./path/component.js";

describe("CastoreError", () => {
  it("keeps code, message and cause", () => {
    const cause = new Error("disk full");
    const error = new CastoreError("STORAGE", "Cannot store blob", { cause });
    expect(error).toMatchObject({ name: "CastoreError", code: "STORAGE", cause });
    expect(String(error)).toBe("CastoreError: Cannot store blob");
  });

  it("names the subclass in stack and text", () => {
    const error = new InvalidNameError("empty", new Uint8Array(0));
    expect(error.name).toBe("InvalidNameError");
    expect(error).toBeInstanceOf(CastoreError);
  });
});

describe("CastoreError.is()", () => {
  const error = new CastoreError("CORRUPT", "x");

  it("knows errors of this package and their code", () => {
    expect(CastoreError.is(error)).toBe(true);
    expect(CastoreError.is(error, "CORRUPT")).toBe(true);
    expect(CastoreError.is(error, "STORAGE")).toBe(false);
    expect(
      CastoreError.is(new InvalidNameError("nul", new Uint8Array(1)), "INVALID_ARGUMENT"),
    ).toBe(true);
  });

  it("knows errors of another copy of the package", () => {
    class OtherCopy extends Error {
      readonly code = "CORRUPT";
      readonly isCastoreError = true;
    }
    expect(CastoreError.is(new OtherCopy(), "CORRUPT")).toBe(true);
  });

  it.each([
    ["an Error", new Error("x")],
    ["a system error", Object.assign(new Error("x"), { code: "ENOENT" })],
    ["an object", { code: "CORRUPT", isCastoreError: true }],
    ["nothing", undefined],
    ["null", null],
    ["text", "CORRUPT"],
  ])("does not take %s for one", (_label, value) => {
    expect(CastoreError.is(value)).toBe(false);
  });
});
