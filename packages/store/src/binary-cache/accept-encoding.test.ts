import { describe, expect, it } from "vitest";
import { CONTENT_CODINGS, chooseCoding } from "./accept-encoding.js";

describe("chooseCoding()", () => {
  it.each([
    ["zstd", "zstd"],
    ["gzip", "gzip"],
    ["gzip, br", "br"],
    ["gzip, deflate, br, zstd", "zstd"],
    ["GZIP", "gzip"],
    ["*", "zstd"],
    ["gzip;q=1.0, br;q=0.5", "gzip"],
    ["zstd;q=0, *", "br"],
    ["gzip;q=0.5, identity;q=0.5", "gzip"],
  ])("takes from %j %s", (header, expected) => {
    expect(chooseCoding(header, CONTENT_CODINGS)).toBe(expected);
  });

  it.each([
    undefined,
    "",
    "identity",
    "deflate, compress",
    "gzip;q=0",
    "*;q=0",
    "gzip;q=0.5, identity",
    "gzip;q=nonsense",
    "gzip;q=2",
    ",;=,",
  ])("takes none from %j", (header) => {
    expect(chooseCoding(header, CONTENT_CODINGS)).toBeUndefined();
  });

  it("takes nothing that cannot be made", () => {
    expect(chooseCoding("zstd, gzip", ["gzip"])).toBe("gzip");
    expect(chooseCoding("zstd", ["gzip"])).toBeUndefined();
  });
});
