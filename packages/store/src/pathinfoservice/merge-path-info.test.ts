import { describe, expect, it } from "vitest";
import { contentAddress } from "../content-address.js";
import { MAX_NARINFO_SIGNATURES } from "../narinfo/narinfo.js";
import { NixHash } from "../nix-hash.js";
import { PathInfo, type PathInfoFields } from "../path-info.js";
import { Signature } from "../signature/signature.js";
import { StorePath } from "../store-path/store-path.js";
import { SYMLINK_NODE } from "../testing/nar-fixtures.js";
import { mergePathInfo } from "./merge-path-info.js";

function path(digit: string): StorePath {
  return StorePath.parse(`${digit.repeat(32)}-x`);
}

function pathInfo(fields: Partial<PathInfoFields> = {}): PathInfo {
  return PathInfo.of({
    ...{ storePath: path("1"), node: SYMLINK_NODE, narSize: 136n, narSha256: new Uint8Array(32) },
    references: [path("2"), path("3")],
    ...fields,
  });
}

function signature(keyName: string, byte = 0): Signature {
  return Signature.of(keyName, new Uint8Array(64).fill(byte));
}

const ADDRESS = contentAddress("nar", NixHash.of("sha256", new Uint8Array(32)));

describe("mergePathInfo()", () => {
  it("gives back what is new", () => {
    const added = pathInfo();
    expect(mergePathInfo(undefined, added)).toBe(added);
  });

  it("keeps each signature once, those that were known first", () => {
    const known = pathInfo({ signatures: [signature("b"), signature("a")] });
    const added = pathInfo({ signatures: [signature("c"), signature("a"), signature("a", 1)] });
    const merged = mergePathInfo(known, added);
    expect(merged.signatures).toEqual([
      ...[signature("b"), signature("a"), signature("c"), signature("a", 1)],
    ]);
  });

  it("keeps deriver and content address where nothing else is said", () => {
    const known = pathInfo({ deriver: path("4"), contentAddress: ADDRESS });
    expect(mergePathInfo(known, pathInfo())).toMatchObject({
      deriver: path("4"),
      contentAddress: ADDRESS,
    });
    const added = pathInfo({ deriver: path("5") });
    expect(mergePathInfo(known, added).deriver).toEqual(path("5"));
  });

  it("takes references in another order, or named twice, for the same", () => {
    const known = pathInfo({ signatures: [signature("a")] });
    const added = pathInfo({ references: [path("3"), path("2"), path("2")] });
    const merged = mergePathInfo(known, added);
    expect(merged.references).toEqual(added.references);
    expect(merged.signatures).toHaveLength(1);
  });

  it.each<[string, Partial<PathInfoFields>]>([
    ["another NAR", { narSha256: new Uint8Array(32).fill(1) }],
    ["another size", { narSize: 137n }],
    ["other references", { references: [path("2")] }],
    ["another name", { storePath: StorePath.parse(`${"1".repeat(32)}-y`) }],
  ])("keeps nothing of a path with %s", (_, fields) => {
    const known = pathInfo({ signatures: [signature("a")], deriver: path("4") });
    const added = pathInfo(fields);
    expect(mergePathInfo(known, added)).toBe(added);
  });

  it("keeps no more signatures than a narinfo may have, and those that were there", () => {
    const many = Array.from({ length: MAX_NARINFO_SIGNATURES }, (_, i) => signature(`k${i}`));
    const merged = mergePathInfo(
      pathInfo({ signatures: many }),
      pathInfo({ signatures: [signature("late")] }),
    );
    expect(merged.signatures).toEqual(many);
  });
});
