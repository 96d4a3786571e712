import { ed25519 } from "@noble/curves/ed25519.js";
import { toHex } from "@tvix/castore";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromHex } from "../testing/bytes.js";
import { ed25519Signer, ed25519Verifier } from "./ed25519.js";
import * as node from "./ed25519-node.js";
import * as portable from "./ed25519-portable.js";

/** RFC 8032, section 7.1, tests 1 to 3. */
const VECTORS = [
  {
    seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    message: "",
    signature:
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  },
  {
    seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    message: "72",
    signature:
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  },
  {
    seed: "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    publicKey: "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    message: "af82",
    signature:
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  },
] as const;

describe.each([
  ["node", node.createSigner, node.createVerifier],
  ["portable", portable.createSigner, portable.createVerifier],
  ["the chosen one", ed25519Signer, ed25519Verifier],
] as const)("Ed25519: %s", (_, createSigner, createVerifier) => {
  it.each(VECTORS)("signs and verifies $message as RFC 8032 does", (vector) => {
    const signer = createSigner(fromHex(vector.seed));
    const message = fromHex(vector.message);
    const signature = signer.sign(message);
    expect(toHex(signer.publicKey)).toBe(vector.publicKey);
    expect(toHex(signature)).toBe(vector.signature);
    expect(Object.getPrototypeOf(signature)).toBe(Uint8Array.prototype);
    expect(Object.getPrototypeOf(signer.publicKey)).toBe(Uint8Array.prototype);
    expect(createVerifier(signer.publicKey).verify(message, signature)).toBe(true);
  });

  it("refuses every signature with one bit changed", () => {
    const [{ publicKey, message, signature }] = VECTORS;
    const verifier = createVerifier(fromHex(publicKey));
    for (let bit = 0; bit < 512; bit += 37) {
      const changed = fromHex(signature);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(verifier.verify(fromHex(message), changed)).toBe(false);
    }
  });

  it.each([
    ["a signature that is too short", VECTORS[0].publicKey, "00".repeat(63)],
    ["no signature", VECTORS[0].publicKey, ""],
    ["a key that is no point", `02${"00".repeat(31)}`, VECTORS[0].signature],
    ["a key that is no number of the field", "ff".repeat(32), VECTORS[0].signature],
  ])("answers false to %s", (_name, publicKey, signature) => {
    const verifier = createVerifier(fromHex(publicKey));
    expect(verifier.verify(new Uint8Array(0), fromHex(signature))).toBe(false);
  });
});

describe("ed25519Verifier()", () => {
  // With a multiple of the base point for R and the factor for S, which needs no secret.
  const forged = fromHex(`${toHex(ed25519.Point.BASE.multiply(5n).toBytes())}05${"00".repeat(31)}`);

  it.each([
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  ])("verifies nothing with the key %s of small order", (publicKey) => {
    const verifier = ed25519Verifier(fromHex(publicKey));
    for (let i = 0; i < 100; i++) {
      expect(verifier.verify(Uint8Array.of(i), forged)).toBe(false);
    }
  });
});

describe("Ed25519: node and portable", () => {
  it("refuse a signature whose second half is not reduced", () => {
    const [{ publicKey, message, signature }] = VECTORS;
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const bytes = fromHex(signature);
    let carry = 0n;
    for (let i = 0; i < 32; i++) {
      const sum = BigInt(bytes[32 + i] as number) + ((order >> BigInt(8 * i)) & 0xffn) + carry;
      bytes[32 + i] = Number(sum & 0xffn);
      carry = sum >> 8n;
    }
    expect(carry).toBe(0n);
    for (const { createVerifier } of [node, portable]) {
      const verifier = createVerifier(fromHex(publicKey));
      expect(verifier.verify(fromHex(message), fromHex(signature))).toBe(true);
      expect(verifier.verify(fromHex(message), bytes)).toBe(false);
    }
  });

  it("make the same keys and signatures", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.uint8Array(),
        (seed, bytes) => {
          const [a, b] = [node.createSigner(seed), portable.createSigner(seed)];
          expect(a.publicKey).toEqual(b.publicKey);
          expect(a.sign(bytes)).toEqual(b.sign(bytes));
        },
      ),
      { seed: 403, numRuns: 25 },
    );
  });
});
