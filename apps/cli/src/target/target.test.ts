import { blake3, toUtf8 } from "@tvix/castore";
import { decodeNixBase32 } from "@tvix/store";
import { describe, expect, it } from "vitest";
import { UsageError } from "../exit.js";
import { looksLikeTarget, parseTarget } from "./target.js";

const HASH = "00bgd045z0d4icpbc2yyz4gx48ak44la";
const DIGEST = blake3(toUtf8("x"));
/** The base64 of this one has slashes in it. */
const SLASHED = "b3:////////////////////////////////////////AAA=";

function summary(text: string, inner?: string): unknown[] {
  const target = parseTarget(text, inner);
  const path = target.path.toString();
  return target.kind === "digest"
    ? [target.digest.toString(), path]
    : [target.outputHash, target.name, path];
}

describe("parseTarget()", () => {
  const outputHash = decodeNixBase32(HASH);

  it.each([
    [`/nix/store/${HASH}-a.b`, undefined, [outputHash, "a.b", ""]],
    [`/nix/store/${HASH}-a/`, undefined, [outputHash, "a", ""]],
    [`/nix/store/${HASH}-a/b/c`, undefined, [outputHash, "a", "b/c"]],
    [`/nix/store/${HASH}-a//b/./c/`, undefined, [outputHash, "a", "b/c"]],
    [`/nix/store/${HASH}-a`, "b/c", [outputHash, "a", "b/c"]],
    [`/nix/store/${HASH}-a/b`, "c", [outputHash, "a", "b/c"]],
    [`/nix/store/${HASH}-a`, "/b/", [outputHash, "a", "b"]],
    [`/nix/store/${HASH}`, undefined, [outputHash, undefined, ""]],
    [`${HASH}-a`, undefined, [outputHash, "a", ""]],
    [`${HASH}-a/b`, undefined, [outputHash, "a", "b"]],
    [HASH, undefined, [outputHash, undefined, ""]],
    [`${HASH}/b`, undefined, [outputHash, undefined, "b"]],
    [DIGEST.toString(), undefined, [DIGEST.toString(), ""]],
    [DIGEST.toString().replace("b3:", "blake3-"), undefined, [DIGEST.toString(), ""]],
    [DIGEST.toHex(), undefined, [DIGEST.toString(), ""]],
    [DIGEST.toHex().toUpperCase(), undefined, [DIGEST.toString(), ""]],
    [`${DIGEST}/b/c`, undefined, [DIGEST.toString(), "b/c"]],
    [`${DIGEST.toHex()}/b`, "c", [DIGEST.toString(), "b/c"]],
    [SLASHED, undefined, [SLASHED, ""]],
    [`${SLASHED}/b`, undefined, [SLASHED, "b"]],
  ])("reads %s %s", (text, inner, expected) => {
    expect(summary(text, inner)).toEqual(expected);
    expect(looksLikeTarget(text)).toBe(true);
  });

  it("keeps bytes that are not UTF-8", () => {
    const { path } = parseTarget(HASH, "caf\udce9");
    expect(path.components[0]?.toBytes()).toEqual(Uint8Array.of(0x63, 0x61, 0x66, 0xe9));
  });

  it.each([
    ["a file on disk", "./include", /neither a store path .* nor a digest .* tvix import/],
    ["nothing", "", /neither a store path/],
    ["the store itself", "/nix/store", /neither a store path/],
    ["an empty base name", "/nix/store/", /expected 32 characters of nixbase32/],
    ["a path elsewhere", `/usr/${HASH}-a`, /neither a store path/],
    ["a hash with a foreign letter", `${"e".repeat(32)}-a`, /its digest is not nixbase32/],
    ["a short hash", "/nix/store/abc-a", /expected 32 characters of nixbase32/],
    ["a name that cannot be", `/nix/store/${HASH}-a b`, /" " at position 34 may not occur/],
    ["a digest that is too short", "b3:AAAA", /neither a store path/],
    ["a path that leads out", `${HASH}/../x`, /"\.\." is not a name/],
  ])("refuses %s", (_, text, message) => {
    expect(() => parseTarget(text)).toThrow(message);
    expect(() => parseTarget(text)).toThrow(UsageError);
  });
});

describe("looksLikeTarget()", () => {
  it.each(["./x", "x", "/usr/include", `./${HASH}-a`, `/tmp/${HASH}`, "", "/nix", "b3:AAAA"])(
    "takes %j for a file on disk",
    (text) => {
      expect(looksLikeTarget(text)).toBe(false);
    },
  );
});
