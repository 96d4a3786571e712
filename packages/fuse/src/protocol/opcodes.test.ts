import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { OPCODE, opcodeName } from "./opcodes.js";

const HEADER = "/usr/include/linux/fuse.h";

describe("opcodeName()", () => {
  it("names what is known, and numbers the rest", () => {
    expect(opcodeName(OPCODE.READDIRPLUS)).toBe("READDIRPLUS");
    expect(opcodeName(7)).toBe("opcode 7");
    expect(opcodeName(4096)).toBe("opcode 4096");
  });
});

describe("OPCODE", () => {
  it("has every number once", () => {
    expect(new Set(Object.values(OPCODE)).size).toBe(Object.keys(OPCODE).length);
  });

  it("agrees with the header of the system", (context) => {
    if (!existsSync(HEADER)) context.skip(`${HEADER} is not there`);
    const defined = readFileSync(HEADER, "latin1").matchAll(/^\tFUSE_([A-Z0-9_]+)\s*= (\d+),/gm);
    const opcodes = [...defined]
      .filter(([, name]) => !/^(NOTIFY_(?!REPLY)|MAX_|INIT_)/.test(name ?? ""))
      .map(([, name, value]) => [name, Number(value)]);
    expect(opcodes.length).toBeGreaterThan(40);
    expect(OPCODE).toMatchObject(Object.fromEntries(opcodes));
  });
});
