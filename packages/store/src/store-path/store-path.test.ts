import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StoreError } from "../errors.js";
import {
  InvalidStorePathError,
  MAX_STORE_PATH_NAME_LENGTH,
  parseStorePathName,
  StorePath,
} from "./store-path.js";

const ZEROS = "0".repeat(32);
const NAME_CHARACTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-._?=";

function failure(parse: () => unknown): unknown {
  try {
    parse();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("StorePath.parse()", () => {
  it("splits digest and name", () => {
    const path = StorePath.parse("00bgd045z0d4icpbc2yyz4gx48ak44la-net-tools-1.60_p20170221182432");
    expect(path.name).toBe("net-tools-1.60_p20170221182432");
    expect(Buffer.from(path.digestBytes()).toString("hex")).toBe(
      "8a12321522fd91efbd60ebb2481af88580f61600",
    );
  });

  it.each([
    ["empty", "", "too-short", undefined],
    ["a digest alone", ZEROS, "too-short", undefined],
    ["a foreign character in the digest", `0e${"0".repeat(30)}-a`, "digest", 1],
    ["an upper-case digest", `${"A".repeat(32)}-a`, "digest", 0],
    ["another separator", `${ZEROS}_a`, "no-dash", 32],
    ["a short digest", `${"0".repeat(31)}-aa`, "digest", 31],
    ["no name", `${ZEROS}-`, "name-empty", undefined],
    ["a name of 212 bytes", `${ZEROS}-${"a".repeat(212)}`, "name-too-long", undefined],
    ["a slash in the name", `${ZEROS}-a/b`, "name-character", 34],
    ["a NUL in the name", `${ZEROS}-a\0`, "name-character", 34],
    ["an umlaut in the name", `${ZEROS}-\u00e4`, "name-character", 33],
    ["a full-width digit", `\uff10${"0".repeat(31)}-a`, "digest", 0],
  ] as const)("refuses %s", (_, text, reason, position) => {
    const error = failure(() => StorePath.parse(text));
    expect(error).toBeInstanceOf(InvalidStorePathError);
    expect(StoreError.is(error, "INVALID_ARGUMENT")).toBe(true);
    expect(error).toMatchObject({ reason, position });
  });

  it("takes exactly what it formats", () => {
    const text = fc.string({ unit: fc.constantFrom(..."0123ez-_./A \n"), maxLength: 40 });
    fc.assert(
      fc.property(fc.constantFrom("", ZEROS, `${ZEROS}-`), text, (prefix, rest) => {
        const whole = prefix + rest;
        const error = failure(() => expect(StorePath.parse(whole).baseName).toBe(whole));
        if (error !== undefined) expect(error).toBeInstanceOf(InvalidStorePathError);
      }),
      { seed: 20, numRuns: 1000 },
    );
  });

  it("is undone by baseName", () => {
    const digests = fc.uint8Array({ minLength: 20, maxLength: 20 });
    const names = fc.string({
      unit: fc.constantFrom(...NAME_CHARACTERS),
      minLength: 1,
      maxLength: MAX_STORE_PATH_NAME_LENGTH,
    });
    fc.assert(
      fc.property(digests, names, (digest, name) => {
        const path = StorePath.of(digest, name);
        const parsed = StorePath.parse(path.baseName);
        expect(parsed.digestBytes()).toEqual(digest);
        expect(parsed.name).toBe(name);
        expect(parsed.equals(path)).toBe(true);
        expect(StorePath.parseAbsolute(path.toString()).equals(path)).toBe(true);
      }),
      { seed: 21, numRuns: 300 },
    );
  });
});

describe("StorePath.parseAbsolute()", () => {
  it("reads a path in the store directory", () => {
    const path = StorePath.parseAbsolute(`/nix/store/${ZEROS}-dummy`);
    expect(path.baseName).toBe(`${ZEROS}-dummy`);
    expect(JSON.stringify({ path })).toBe(`{"path":"/nix/store/${ZEROS}-dummy"}`);
  });

  it.each([
    [`${ZEROS}-dummy`, "not-in-store-dir"],
    [`/nix/stor/${ZEROS}-dummy`, "not-in-store-dir"],
    [`/nix/store${ZEROS}-dummy`, "not-in-store-dir"],
    [`nix/store/${ZEROS}-dummy`, "not-in-store-dir"],
    [`/nix/store//${ZEROS}-dummy`, "digest"],
    [`/nix/store/${ZEROS}-dummy/`, "name-character"],
    [`/nix/store/${ZEROS}-dummy/bin`, "name-character"],
    ["/nix/store/", "too-short"],
  ])("refuses %s", (text, reason) => {
    expect(failure(() => StorePath.parseAbsolute(text))).toMatchObject({ reason });
  });
});

describe("StorePath.of()", () => {
  it.each([0, 19, 21, 32])("refuses a digest of %i bytes", (length) => {
    const error = failure(() => StorePath.of(new Uint8Array(length), "a"));
    expect(error).toMatchObject({ reason: "digest-length" });
  });

  it("shares no memory with its caller", () => {
    const digest = new Uint8Array(20);
    const path = StorePath.of(digest, "a");
    digest.fill(1);
    path.digestBytes().fill(2);
    expect(path.baseName).toBe(`${ZEROS}-a`);
  });
});

describe("parseStorePathName()", () => {
  it("takes each legal character and no other byte", () => {
    for (let byte = 0; byte < 256; byte++) {
      const legal = NAME_CHARACTERS.includes(String.fromCharCode(byte));
      const error = failure(() => parseStorePathName(Uint8Array.of(0x61, byte)));
      if (legal) expect(error).toBeUndefined();
      else expect(error).toMatchObject({ reason: "name-character", position: 1 });
    }
  });

  it.each([".", "..", ".hidden", "-", "--x", "=", "?", "a".repeat(211)])("takes %s", (name) => {
    expect(parseStorePathName(name)).toBe(name);
  });

  it("says what the rule is", () => {
    expect(() => parseStorePathName("sp ace")).toThrow(
      'Invalid store path name "sp ace": " " at position 2 may not occur; a store path name is 1 to 211 of the characters 0-9 a-z A-Z + - . _ ? =',
    );
  });

  it("escapes what could drive a terminal, and cuts what is long", () => {
    const error = failure(() => parseStorePathName(`\x1b[2J${"x".repeat(5000)}`));
    expect(error).toBeInstanceOf(InvalidStorePathError);
    const { message } = error as Error;
    expect(message).toContain("\\x1b[2J");
    expect(message.length).toBeLessThan(500);
  });
});
