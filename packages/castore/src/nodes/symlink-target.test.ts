import { describe, expect, it } from "vitest";
import { toUtf8 } from "../bytes.js";
import { SymlinkTarget } from "./symlink-target.js";

describe("SymlinkTarget.fromBytes()", () => {
  it.each([
    ["empty", ""],
    ["too-long", "x".repeat(4096)],
    ["nul", "a\0"],
    ["nul", "\0"],
  ])("refuses a target for being %s", (reason, text) => {
    expect(() => SymlinkTarget.fromBytes(toUtf8(text))).toThrow(
      expect.objectContaining({ reason, code: "INVALID_ARGUMENT" }),
    );
  });

  it.each(["a", "/", "..", "/nix/store/x", "a//b/", "x".repeat(4095), "a b\n"])(
    "takes %j",
    (text) => {
      const target = SymlinkTarget.fromBytes(toUtf8(text));
      expect(target.toBytes()).toEqual(toUtf8(text));
      expect(target.byteLength).toBe(toUtf8(text).byteLength);
    },
  );

  it("takes every byte but NUL", () => {
    const bytes = Uint8Array.from({ length: 255 }, (_, i) => i + 1);
    expect(SymlinkTarget.fromBytes(bytes).toBytes()).toEqual(bytes);
  });

  it("keeps what the bytes were", () => {
    const bytes = toUtf8("abc");
    const target = SymlinkTarget.fromBytes(bytes);
    bytes.fill(0);
    target.toBytes().fill(0);
    expect(target.equals(SymlinkTarget.parse("abc"))).toBe(true);
    expect(target.equals(SymlinkTarget.parse("abd"))).toBe(false);
  });

  it("shows what is printable and escapes the rest", () => {
    expect(SymlinkTarget.parse("a\nb").toString()).toBe("a\\x0ab");
  });
});
