import { createHash } from "node:crypto";
import { toUtf8 } from "@tvix/castore";
import { describe, expect, it } from "vitest";
import {
  type ContentAddress,
  type ContentAddressMethod,
  contentAddress,
} from "../content-address.js";
import { HASH_LENGTHS, type HashAlgorithm, NixHash } from "../nix-hash.js";
import { decodeNixBase32 } from "../nixbase32.js";
import { sha256 } from "../sha256/sha256.js";
import { fromHex } from "../testing/bytes.js";
import { NAR_FIXTURES } from "../testing/nar-fixtures.js";
import { buildStorePath } from "./build.js";
import { InvalidStorePathError, StorePath } from "./store-path.js";

function addressOf(
  method: ContentAddressMethod,
  algorithm: HashAlgorithm,
  digest: Uint8Array,
): ContentAddress {
  return contentAddress(method, NixHash.of(algorithm, digest));
}

function textAddress(text: string): ContentAddress {
  return addressOf("text", "sha256", sha256(toUtf8(text)));
}

describe("buildStorePath()", () => {
  it.each(NAR_FIXTURES)("gives the NAR of the $name its source path", (fixture) => {
    const address = addressOf("nar", "sha256", fromHex(fixture.narSha256));
    const { baseName } = buildStorePath("dummy", address);
    expect(baseName).toBe(`${fixture.storePathDigest}-dummy`);
  });

  // builtins.toFile "foo" "bar", and "baz" with a reference to it (tests of Nix and tvix).
  it("gives texts their paths", () => {
    const foo = buildStorePath("foo", textAddress("bar"));
    expect(foo.baseName).toBe("vxjiwkjkn7x4079qvh1jkl5pn05j2aw0-foo");
    const baz = buildStorePath("baz", textAddress(foo.toString()), { references: [foo] });
    expect(baz.baseName).toBe("5xd714cbfnkz02h2vbsj4fm03x3f15nf-baz");
  });

  it("gives a NAR hashed with SHA-1 its path", () => {
    const digest = fromHex("0beec7b5ea3f0fdbc95d0dd47f3c5bc275da8a33");
    const { baseName } = buildStorePath("bar", addressOf("nar", "sha1", digest));
    expect(baseName).toBe("mp57d33657rf34lzvlbpfa1gjfv5gmpg-bar");
  });

  it("gives a NAR with a reference its path", () => {
    const digest = decodeNixBase32("1xqkzcb3909fp07qngljr4wcdnrh1gdam1m2n29i6hhrxlmkgkv1");
    const reference = StorePath.parse("dxwkwjzdaq7ka55pkk252gh32bgpmql4-foo");
    const { baseName } = buildStorePath("baz", addressOf("nar", "sha256", digest), {
      references: [reference],
    });
    expect(baseName).toBe("s89y431zzhmdn3k8r96rvakryddkpv2v-baz");
  });

  // nix-store --add-fixed of Nix 2.8, of the file "fixed" with the content "Hello World!".
  it.each([
    ["md5", "sxi64yaf0kjkjhlkscmg57hgxa9ahbw2-fixed"],
    ["sha1", "7cb1ajrd8phwakjv5phwm0s5bf34lw99-fixed"],
    ["sha256", "dvgnd0b5s2qyda6jvb9xh4isszxrk0s8-fixed"],
    ["sha512", "i3l79c0nlx152lxn8r41zbr7lnd7hpqy-fixed"],
  ] as const)(
    "gives a file hashed with %s the path of nix-store --add-fixed",
    (algorithm, expected) => {
      const digest = createHash(algorithm).update("Hello World!").digest();
      const { baseName } = buildStorePath("fixed", addressOf("flat", algorithm, digest));
      expect(baseName).toBe(expected);
    },
  );

  // nix-store --add-fixed --recursive of Nix 2.8, of the same file.
  it.each([
    ["md5", "00d8bb856df42fa018713458ee68e37a", "4210439akbicsygp34xk3a60l2yfnjdz-fixed"],
    ["sha1", "dc5bf488f1b6eafda0ec0c0cb8b39a68b253bb62", "xbs1b1jz0p8vvrrq5d823k6mg13270b9-fixed"],
    [
      "sha512",
      "f238a9e9460aba64ed3913d77accda5d2e7a2ff11d2481f38800b34ad64e069a291e214edc06972e119899f5d386767f7525c4f204f84b0f556363af461af436",
      "8bzbfk044pl0sgfs2hcz7zksmv0q6g99-fixed",
    ],
  ] as const)(
    "gives a NAR hashed with %s the path of nix-store --add-fixed",
    (algorithm, hex, expected) => {
      const { baseName } = buildStorePath("fixed", addressOf("nar", algorithm, fromHex(hex)));
      expect(baseName).toBe(expected);
    },
  );

  it("does not mind the order of references, nor how often one is given", () => {
    const address = addressOf("nar", "sha256", new Uint8Array(32));
    const [a, b] = [1, 2].map((byte) => StorePath.of(new Uint8Array(20).fill(byte), "x"));
    if (a === undefined || b === undefined) throw new TypeError("two paths");
    const path = buildStorePath("name", address, { references: [a, b] });
    for (const references of [
      [b, a],
      [a, b, a],
      [b, b, a],
    ]) {
      expect(buildStorePath("name", address, { references }).equals(path)).toBe(true);
    }
  });

  it("gives every combination of name, references and self reference a path of its own", () => {
    const address = addressOf("nar", "sha256", new Uint8Array(32));
    const reference = StorePath.of(new Uint8Array(20), "x");
    const paths = [
      buildStorePath("a", address),
      buildStorePath("b", address),
      buildStorePath("a", address, { references: [reference] }),
      buildStorePath("a", address, { selfReference: true }),
      buildStorePath("a", address, { references: [reference], selfReference: true }),
    ];
    expect(new Set(paths.map((path) => path.baseName)).size).toBe(paths.length);
  });

  it.each([
    ["flat", "sha256"],
    ["flat", "md5"],
    ["nar", "sha1"],
    ["nar", "sha512"],
  ] as const)("refuses references of %s content addressed by %s", (method, algorithm) => {
    const address = addressOf(method, algorithm, new Uint8Array(HASH_LENGTHS[algorithm]));
    const references = [StorePath.of(new Uint8Array(20), "x")];
    expect(() => buildStorePath("a", address, { references })).toThrow(/can have no references/);
    expect(() => buildStorePath("a", address, { selfReference: true })).toThrow(/refer to itself/);
  });

  it("refuses a self reference of a text", () => {
    expect(() => buildStorePath("a", textAddress("x"), { selfReference: true })).toThrow(
      /refer to itself/,
    );
  });

  it.each(["", "a b", "a/b", "a".repeat(212)])("refuses the name %j", (name) => {
    expect(() => buildStorePath(name, textAddress("x"))).toThrow(InvalidStorePathError);
  });
});
