import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  equalContentAddresses,
  formatContentAddress,
  InvalidContentAddressError,
  parseContentAddress,
} from "./content-address.js";
import { contentAddresses } from "./testing/path-info-arbitrary.js";

const SHA256 = "0s8r70k4hxni0y053njf63n0chr65s5r7z56c7sjbzki4arqspqq";
const SHA256_HEX = "185f8db32271fe25f561a6fc938b2e264306ec304eda518007d1764826381969";

describe("parseContentAddress()", () => {
  it.each([
    ["nar", "sha256", `fixed:r:sha256:${SHA256}`],
    ["nar", "sha1", "fixed:r:sha1:rm3q5przf1fbni0fhvxj4pb6q2cm75c3"],
    ["flat", "sha256", `fixed:sha256:${SHA256}`],
    ["flat", "md5", "fixed:md5:6p0iwc9y5b4yl9c4k1qi9rj6lb"],
    ["text", "sha256", `text:sha256:${SHA256}`],
  ])("reads %s by %s as Nix writes it", (method, algorithm, text) => {
    const address = parseContentAddress(text);
    expect([address.method, address.hash.algorithm]).toEqual([method, algorithm]);
    expect(formatContentAddress(address)).toBe(text);
  });

  it("reads the other encodings of a hash", () => {
    const address = parseContentAddress(`fixed:r:sha256:${SHA256_HEX}`);
    expect(formatContentAddress(address)).toBe(`fixed:r:sha256:${SHA256}`);
  });

  it.each([
    ["", "method"],
    ["r:sha256:", "method"],
    [`sha256:${SHA256}`, "method"],
    [`Fixed:sha256:${SHA256}`, "method"],
    ["fixed:", "hash"],
    [`fixed:${SHA256}`, "hash"],
    [`fixed:git:sha1:rm3q5przf1fbni0fhvxj4pb6q2cm75c3`, "hash"],
    ["fixed:r:sha256-GF+NsyJx/iX1Yab8k4suJkMG7DBO2lGAB9F2SCY4GWk=", "hash"],
    ["fixed:r:sha256:short", "hash"],
    ["text:md5:6p0iwc9y5b4yl9c4k1qi9rj6lb", "hash"],
    [`text:r:sha256:${SHA256}`, "hash"],
    [`fixed:sha256:${SHA256}\n`, "hash"],
  ])("refuses %j", (text, reason) => {
    expect(() => parseContentAddress(text)).toThrow(InvalidContentAddressError);
    expect(() => parseContentAddress(text)).toThrow(expect.objectContaining({ reason }));
  });

  it("reads whatever formatContentAddress() writes", () => {
    fc.assert(
      fc.property(contentAddresses, (address) => {
        const back = parseContentAddress(formatContentAddress(address));
        expect(equalContentAddresses(back, address)).toBe(true);
      }),
      { seed: 402, numRuns: 200 },
    );
  });
});
