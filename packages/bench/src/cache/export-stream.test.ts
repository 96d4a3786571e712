import { describe, expect, it } from "vitest";
import { exportStream } from "./export-stream.js";

describe("exportStream()", () => {
  it("is made of numbers and filled up strings", () => {
    const stream = Buffer.from(
      exportStream({ storePath: "/nix/store/a", references: ["/nix/store/b"], content: "12345" }),
    );
    expect(stream.byteLength % 8).toBe(0);
    expect(stream.readBigUInt64LE(0)).toBe(1n);
    expect(stream.toString("latin1", 16, 29)).toBe("nix-archive-1");
    const magic = stream.indexOf("NIXE");
    expect(stream.readBigUInt64LE(magic + 8)).toBe(12n);
    expect(stream.toString("latin1", magic + 16, magic + 28)).toBe("/nix/store/a");
    expect(stream.readBigUInt64LE(magic + 32)).toBe(1n);
    expect(stream.toString("latin1", magic + 48, magic + 60)).toBe("/nix/store/b");
    expect(stream.subarray(magic + 64)).toEqual(Buffer.alloc(24));
  });

  it("has the content in its NAR", () => {
    const stream = Buffer.from(exportStream({ storePath: "x", references: [], content: "12345" }));
    const content = stream.indexOf("12345");
    expect(stream.readBigUInt64LE(content - 8)).toBe(5n);
    expect(stream.toString("latin1", content + 5, content + 17)).toBe(
      "\0\0\0\u0001\0\0\0\0\0\0\0)",
    );
  });
});
