import { describe, expect, it } from "vitest";
import { contentAddress, equalContentAddresses, formatContentAddress } from "./content-address.js";
import { StoreError } from "./errors.js";
import { HASH_LENGTHS, type HashAlgorithm, NixHash } from "./nix-hash.js";
import { fromHex } from "./testing/bytes.js";

const NAR_SHA256 = NixHash.of(
  "sha256",
  fromHex("097d397e9b5826384eaa16c457715d1c1a51670313ead0f58566e0b232539cf1"),
);
const MD5 = NixHash.of("md5", fromHex("ed076287532e86365e841e92bfc50d8c"));

describe("NixHash.of()", () => {
  it.each(Object.entries(HASH_LENGTHS) as [HashAlgorithm, number][])(
    "takes %s digests of %i bytes only",
    (algorithm, length) => {
      expect(NixHash.of(algorithm, new Uint8Array(length)).toBytes()).toHaveLength(length);
      for (const other of [0, length - 1, length + 1]) {
        expect(() => NixHash.of(algorithm, new Uint8Array(other))).toThrow(StoreError);
      }
    },
  );

  it("shares no memory with its caller", () => {
    const digest = new Uint8Array(16);
    const hash = NixHash.of("md5", digest);
    digest.fill(1);
    hash.toBytes().fill(2);
    expect(hash.toBytes()).toEqual(new Uint8Array(16));
  });
});

describe("NixHash.equals()", () => {
  it("compares algorithm and digest", () => {
    expect(MD5.equals(NixHash.of("md5", MD5.toBytes()))).toBe(true);
    expect(MD5.equals(NixHash.of("md5", new Uint8Array(16)))).toBe(false);
    expect(MD5.equals(NAR_SHA256)).toBe(false);
  });
});

describe("formatContentAddress()", () => {
  it.each([
    ["nar", NAR_SHA256, "fixed:r:sha256:1wcwacrb5q36hpsx1shk0dkm26hwbmqmgi0nm973h9jqkdz3jz89"],
    ["flat", NAR_SHA256, "fixed:sha256:1wcwacrb5q36hpsx1shk0dkm26hwbmqmgi0nm973h9jqkdz3jz89"],
    ["text", NAR_SHA256, "text:sha256:1wcwacrb5q36hpsx1shk0dkm26hwbmqmgi0nm973h9jqkdz3jz89"],
    ["flat", MD5, "fixed:md5:4c1p2vz4hyhig3d1ifaf3n41zd"],
  ] as const)("writes %s of %s as Nix does", (method, hash, text) => {
    expect(formatContentAddress(contentAddress(method, hash))).toBe(text);
  });
});

describe("contentAddress()", () => {
  it("refuses a text with another hash than SHA-256", () => {
    expect(() => contentAddress("text", MD5)).toThrow(/not with md5/);
  });

  it("makes equal what claims the same", () => {
    const address = contentAddress("nar", NAR_SHA256);
    expect(equalContentAddresses(address, contentAddress("nar", NAR_SHA256))).toBe(true);
    expect(equalContentAddresses(address, contentAddress("flat", NAR_SHA256))).toBe(false);
    expect(equalContentAddresses(address, contentAddress("nar", MD5))).toBe(false);
  });
});
