import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HASH_LENGTHS, type HashAlgorithm, NixHash } from "../nix-hash.js";
import { fromHex } from "../testing/bytes.js";
import { InvalidNixHashError, type NixHashEncoding } from "./text.js";

/** What `nix-hash --flat` and `nix hash to-base32|to-base64|to-sri` of Nix 2.8 make of "Hello". */
const VECTORS: readonly (readonly [HashAlgorithm, hex: string, base32: string, base64: string])[] =
  [
    [
      "md5",
      "8b1a9953c4611296a827abf8c47804d7",
      "6p0iwc9y5b4yl9c4k1qi9rj6lb",
      "ixqZU8RhEpaoJ6v4xHgE1w==",
    ],
    [
      "sha1",
      "f7ff9e8b7bb2e09b70935a5d785e0cc5d9d0abf0",
      "y2mx1nf51ig7hpasjdq9pq5jgf5rxzzp",
      "9/+ei3uy4Jtwk1pdeF4MxdnQq/A=",
    ],
    [
      "sha256",
      "185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969",
      "0s8r70k4hxni0y053njf63n0chr65s5r7z56c7sjbzki4arqspqq",
      "GF+NsyJx/iX1Yab8k4suJkMG7DBO2lGAB9F2SCY4GWk=",
    ],
    [
      "sha512",
      "3615f80c9d293ed7402687f94b22d58e529b8cc7916f8fac7fddf7fbd5af4cf777d3d795a7a00a16bf7e7f3fb9561ee9baae480da9fe7a18769e71886b03f315",
      "0az60vbi1qrwxhqgbzaj3a8msxfj7jnp4zpyzmz2q5a19wmsz9pgxscmzazpxyxgyn8yvwiqy69nllfsli4pyc74r0dfgi9kl6gh59n",
      "NhX4DJ0pPtdAJof5SyLVjlKbjMeRb4+sf933+9WvTPd309eVp6AKFr9+fz+5Vh7puq5IDan+ehh2nnGIawPzFQ==",
    ],
  ];

const [, , SHA256] = VECTORS;
const [, HEX, BASE32, BASE64] = SHA256 as (typeof VECTORS)[number];

describe.each(VECTORS)("text forms of %s", (algorithm, hex, base32, base64) => {
  const hash = NixHash.of(algorithm, fromHex(hex));

  it("are written as Nix writes them", () => {
    expect(hash.format("hex")).toBe(hex);
    expect(hash.format("nixbase32")).toBe(base32);
    expect(hash.format("base64")).toBe(base64);
    expect(hash.format("sri")).toBe(`${algorithm}-${base64}`);
    expect(hash.format("hex", { named: true })).toBe(`${algorithm}:${hex}`);
    expect(hash.format("base64", { named: true })).toBe(`${algorithm}:${base64}`);
    expect(hash.toString()).toBe(`${algorithm}:${base32}`);
  });

  it.each([hex, hex.toUpperCase(), base32, base64])("reads %s with and without a name", (text) => {
    expect(NixHash.parse(text, { algorithm }).equals(hash)).toBe(true);
    expect(NixHash.parse(`${algorithm}:${text}`).equals(hash)).toBe(true);
    expect(NixHash.parse(`${algorithm}:${text}`, { algorithm }).equals(hash)).toBe(true);
  });

  it("reads SRI", () => {
    expect(NixHash.parse(`${algorithm}-${base64}`).equals(hash)).toBe(true);
  });
});

describe("NixHash.parse()", () => {
  it.each([
    ["no algorithm", HEX, "missing-algorithm"],
    ["the name in capitals, as Nix refuses it", `SHA256:${HEX}`, "unknown-algorithm"],
    ["an algorithm Nix does not have", `sha3:${HEX}`, "unknown-algorithm"],
    ["a property every object has", `constructor:${HEX}`, "unknown-algorithm"],
    ["hex behind a dash", `sha256-${HEX}`, "length"],
    ["nixbase32 behind a dash", `sha256-${BASE32}`, "length"],
    ["base64 without padding", `sha256:${BASE64.slice(0, -1)}`, "length"],
    ["SRI without padding", `sha256-${BASE64.slice(0, -1)}`, "length"],
    ["SRI with options", `sha256-${BASE64}?a`, "length"],
    ["a hash of another length", `sha1:${HEX}`, "length"],
    ["nothing", "sha256:", "length"],
    ["other characters than hex", `sha256:g${HEX.slice(1)}`, "character"],
    ["other characters than nixbase32", `sha256:${BASE32.slice(1)}e`, "character"],
    ["other characters than base64", `sha256:-${BASE64.slice(1)}`, "character"],
    ["padding inside", `sha256:${BASE64.slice(0, -2)}=k`, "character"],
    ["spare bits in nixbase32", `sha256:z${BASE32.slice(1)}`, "padding"],
    ["spare bits in base64", `sha256:${BASE64.slice(0, -2)}l=`, "padding"],
    ["base64 of too many bytes", `sha256:${BASE64.slice(0, -1)}A`, "padding"],
    ["white space", ` sha256:${HEX}`, "unknown-algorithm"],
  ])("refuses %s", (_, text, reason) => {
    expect(() => NixHash.parse(text)).toThrow(expect.objectContaining({ reason }));
  });

  it("refuses another algorithm than the wanted one", () => {
    const parse = () => NixHash.parse(`sha256:${HEX}`, { algorithm: "sha512" });
    expect(parse).toThrow(expect.objectContaining({ reason: "other-algorithm" }));
  });

  it("shows no more of a text than fits a message, and no control characters", () => {
    const parse = () => NixHash.parse(`\n${"x".repeat(10_000)}`);
    expect(parse).toThrow(InvalidNixHashError);
    expect(parse).toThrow(/^Invalid hash "\\x0ax{199}": it does not name its algorithm$/);
  });

  it("answers any change of a text with a hash or with its own error", () => {
    const texts = [`sha256:${HEX}`, `sha256:${BASE32}`, `sha256:${BASE64}`, `sha256-${BASE64}`];
    const piece = fc.oneof(
      fc.string({ unit: "binary-ascii", maxLength: 3 }),
      fc.constantFrom("=", ":", "-", "0", "A", "f", "é", "\u{1f600}"),
    );
    let taken = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...texts),
        fc.nat(72),
        fc.nat(3),
        piece,
        (text, start, length, inserted) => {
          try {
            NixHash.parse(text.slice(0, start) + inserted + text.slice(start + length));
            taken++;
          } catch (error) {
            if (!(error instanceof InvalidNixHashError)) throw error;
          }
        },
      ),
      { seed: 409, numRuns: 1500 },
    );
    expect(taken).toBeGreaterThan(50);
  });

  it("reads whatever it writes", () => {
    const encodings: readonly NixHashEncoding[] = ["hex", "nixbase32", "base64", "sri"];
    const hashes = fc
      .constantFrom(...(Object.keys(HASH_LENGTHS) as HashAlgorithm[]))
      .chain((algorithm) => {
        const length = HASH_LENGTHS[algorithm];
        return fc
          .uint8Array({ minLength: length, maxLength: length })
          .map((digest) => NixHash.of(algorithm, digest));
      });
    fc.assert(
      fc.property(hashes, fc.constantFrom(...encodings), (hash, encoding) => {
        const text = hash.format(encoding, { named: true });
        expect(NixHash.parse(text).equals(hash)).toBe(true);
      }),
      { seed: 401, numRuns: 300 },
    );
  });
});
