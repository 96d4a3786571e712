import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseNarinfo } from "../narinfo/parse.js";
import { NixHash } from "../nix-hash.js";
import { PathInfo } from "../path-info.js";
import { StorePath } from "../store-path/store-path.js";
import { NIX_PATHS, NIX_PUBLIC_KEY, NIX_SECRET_KEY } from "../testing/nix-paths.js";
import { DUMMY_PATH_INFO } from "../testing/path-info-fixtures.js";
import { fingerprint } from "./fingerprint.js";
import { InvalidKeyError, MAX_KEY_NAME_LENGTH } from "./key-text.js";
import { Signature } from "./signature.js";
import { SigningKey } from "./signing-key.js";
import { TrustedKeys } from "./trusted-keys.js";
import { VerifyingKey } from "./verifying-key.js";

/** From the tests of tvix. */
const TVIX_SECRET_KEY =
  "do.not.use:sGPzxuK5WvWPraytx+6sjtaff866sYlfvErE6x0hFEhy5eqe7OVZ8ZMqZ/ME/HaRdKGNGvJkyGKXYTaeA6lR3A==";
const TVIX_PUBLIC_KEY = "do.not.use:cuXqnuzlWfGTKmfzBPx2kXShjRryZMhil2E2ngOpUdw=";
/** Of DUMMY_PATH_INFO. */
const TVIX_SIGNATURE =
  "do.not.use:xl4q2L5wQMou13ZQ9/YPqK1z/DSIYycTtndVNfp2ybT8Cpg+yPv1sCQN8VVWppnq5BXTuMhjaq7K/ebYN4LYBg==";

const CACHE_NIXOS_ORG = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";
const CURL = {
  storePath: StorePath.parse("syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin"),
  narSha256: NixHash.parse("sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0").toBytes(),
  narSize: 196040n,
  references: [
    "0jqd0rlxzra1rs38rdxl43yh6rxchgc6-curl-7.82.0",
    "6w8g7njm4mck5dmjxws0z1xnrxvl81xa-glibc-2.34-115",
    "j5jxw3iy7bbz4a57fh9g2xm2gxmyal8h-zlib-1.2.12",
    "yxvjs9drzsphm9pcf42a4byzj1kb9m7k-openssl-1.1.1n",
  ].map((name) => StorePath.parse(name)),
};
const CURL_SIGNATURE = Signature.parse(
  "cache.nixos.org-1:TsTTb3WGTZKphvYdBHXwo6weVILmTytUjLB+vcX89fOjjRicCHmKA4RCPMVLkj6TMJ4GMX3HPVWRdD1hkeKZBQ==",
);

const CHANGED = new Uint8Array(32).fill(1);

describe("fingerprint()", () => {
  it("is the text that Nix signs", () => {
    expect(fingerprint(DUMMY_PATH_INFO)).toBe(
      "1;/nix/store/00000000000000000000000000000000-dummy;sha256:0000000000000000000000000000000000000000000000000000;0;/nix/store/00000000000000000000000000000000-dummy",
    );
    expect(fingerprint({ ...CURL, references: [] })).toBe(
      "1;/nix/store/syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl-7.82.0-bin;sha256:1b4sb93wp679q4zx9k1ignby1yna3z7c4c2ri3wphylbc2dwsys0;196040;",
    );
  });

  it("sorts the references and takes each once, as Nix does", () => {
    const { references } = CURL;
    const shuffled = [...references].reverse();
    expect(fingerprint({ ...CURL, references: [...shuffled, ...references] })).toBe(
      fingerprint(CURL),
    );
  });
});

describe("SigningKey", () => {
  it("signs as tvix does", () => {
    const key = SigningKey.parse(TVIX_SECRET_KEY);
    expect(String(key.publicKey)).toBe(TVIX_PUBLIC_KEY);
    expect(key.sign(DUMMY_PATH_INFO).format()).toBe(TVIX_SIGNATURE);
  });

  it.each(NIX_PATHS)("signs as Nix does: $name", ({ narinfo }) => {
    const parsed = parseNarinfo(narinfo);
    const signature = SigningKey.parse(NIX_SECRET_KEY).sign(parsed);
    expect(narinfo).toContain(`\nSig: ${signature.format()}\n`);
  });

  it("reads what it writes, and the line break of a file", () => {
    const key = SigningKey.generate("new-1");
    const text = key.formatSecret();
    const again = SigningKey.parse(`${text}\n`);
    expect(again.formatSecret()).toBe(text);
    expect(again.publicKey.equals(key.publicKey)).toBe(true);
    expect(SigningKey.parse(NIX_SECRET_KEY).formatSecret()).toBe(NIX_SECRET_KEY);
    expect(String(SigningKey.parse(NIX_SECRET_KEY).publicKey)).toBe(NIX_PUBLIC_KEY);
  });

  it("makes another key each time", () => {
    const [a, b] = [SigningKey.generate("a"), SigningKey.generate("a")];
    expect(a.publicKey.equals(b.publicKey)).toBe(false);
  });

  it("gives its secret away in no other text", () => {
    const key = SigningKey.parse(TVIX_SECRET_KEY);
    const shown = [String(key), JSON.stringify({ key }), inspect(key, { showHidden: true })];
    for (const text of shown) expect(text).not.toContain("sGPz");
    expect(String(key)).toBe("SigningKey(do.not.use)");
  });

  const secret = TVIX_SECRET_KEY.slice("do.not.use:".length);
  it.each([
    ["no name", secret, "no-colon"],
    ["an empty name", `:${secret}`, "name"],
    ["a name with a space", `a b:${secret}`, "name"],
    ["a name with a line break", `a\nb:${secret}`, "name"],
    ["a name that is not ASCII", `é:${secret}`, "name"],
    ["a name that is too long", `${"a".repeat(MAX_KEY_NAME_LENGTH + 1)}:${secret}`, "name"],
    ["a public key", TVIX_PUBLIC_KEY, "length"],
    ["a cut key", `a:${secret.slice(0, -4)}`, "length"],
    ["no base64", `a:-${secret.slice(1)}`, "base64"],
    ["spare bits", `a:${secret.slice(0, -3)}B==`, "base64"],
    ["a public half of another key", `a:${secret.slice(0, 44)}A${secret.slice(45)}`, "key-pair"],
  ])("refuses %s without telling the secret", (_, text, reason) => {
    const parse = () => SigningKey.parse(text);
    expect(parse).toThrow(InvalidKeyError);
    expect(parse).toThrow(expect.objectContaining({ reason }));
    expect(parse).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining("GPzx") }),
    );
  });

  it.each(["hunter2:abc", "hunter 2:abc", `hunter2:-${secret.slice(1)}`])(
    "tells nothing of another secret: %s",
    (text) => {
      expect(() => SigningKey.parse(text)).toThrow(
        expect.objectContaining({ message: expect.not.stringContaining("hunter") }),
      );
    },
  );

  it("is made from 32 bytes that it does not share", () => {
    const seed = new Uint8Array(32);
    const key = SigningKey.of("a", seed);
    const before = key.formatSecret();
    seed.fill(1);
    expect(key.formatSecret()).toBe(before);
    expect(() => SigningKey.of("a", new Uint8Array(31))).toThrow(/32 bytes, got 31/);
    expect(() => SigningKey.of("a:b", seed)).toThrow(InvalidKeyError);
  });
});

describe("VerifyingKey", () => {
  it("verifies what cache.nixos.org signed", () => {
    expect(VerifyingKey.parse(CACHE_NIXOS_ORG).verify(CURL, CURL_SIGNATURE)).toBe(true);
  });

  it.each([
    ["store path", { storePath: StorePath.parse("syd87l2rxw8cbsxmxl853h0r6pdwhwjr-curl") }],
    ["NAR hash", { narSha256: CHANGED }],
    ["NAR size", { narSize: 196041n }],
    ["references", { references: CURL.references.slice(1) }],
  ])("refuses another %s", (_, change) => {
    const key = VerifyingKey.parse(CACHE_NIXOS_ORG);
    expect(key.verify({ ...CURL, ...change }, CURL_SIGNATURE)).toBe(false);
  });

  it("refuses the right signature under another name", () => {
    const key = VerifyingKey.parse(CACHE_NIXOS_ORG);
    const renamed = Signature.of("cache.nixos.org-2", CURL_SIGNATURE.toBytes());
    expect(key.verify(CURL, renamed)).toBe(false);
    expect(VerifyingKey.of("other", key.toBytes()).verify(CURL, CURL_SIGNATURE)).toBe(false);
  });

  it("reads what it writes", () => {
    expect(String(VerifyingKey.parse(CACHE_NIXOS_ORG))).toBe(CACHE_NIXOS_ORG);
    expect(() => VerifyingKey.parse(`${CACHE_NIXOS_ORG}=`)).toThrow(InvalidKeyError);
    expect(() => VerifyingKey.of("a", new Uint8Array(33))).toThrow(/32 bytes, got 33/);
  });
});

describe("Signature", () => {
  it("reads what it writes", () => {
    expect(Signature.parse(TVIX_SIGNATURE).format()).toBe(TVIX_SIGNATURE);
  });

  it.each(["", "a", "a:", ":x", `a:${"A".repeat(88)}`, `a:${"A".repeat(84)}`, "a:b:c"])(
    "refuses %j",
    (text) => {
      expect(() => Signature.parse(text)).toThrow(InvalidKeyError);
    },
  );

  it("has no text under a name that no key may have", () => {
    const signature = Signature.of("a\nb", new Uint8Array(64));
    expect(() => signature.format()).toThrow(expect.objectContaining({ reason: "name" }));
  });
});

describe("TrustedKeys.verify()", () => {
  const first = SigningKey.generate("cache-1");
  const namesake = SigningKey.generate("cache-1");
  const second = SigningKey.generate("cache-2");
  const stranger = SigningKey.generate("cache-3");
  const forged = Signature.of("cache-1", new Uint8Array(64));
  const signed = (...keys: readonly SigningKey[]) => keys.map((key) => key.sign(CURL));

  it("returns the signatures of trusted keys, one a key", () => {
    const keys = TrustedKeys.of([first.publicKey, second.publicKey]);
    const signatures = [forged, ...signed(stranger, second, first, first)];
    const valid = keys.verify({ ...CURL, signatures });
    expect(valid).toEqual([signatures[2], signatures[3]]);
  });

  it("counts a key that was given twice once", () => {
    const keys = TrustedKeys.of([first.publicKey, VerifyingKey.parse(String(first.publicKey))]);
    expect(keys.keys).toHaveLength(1);
    expect(keys.verify({ ...CURL, signatures: signed(first, first) })).toHaveLength(1);
  });

  it("tells keys of one name apart", () => {
    const keys = TrustedKeys.of([first.publicKey, namesake.publicKey]);
    expect(keys.verify({ ...CURL, signatures: signed(namesake) })).toHaveLength(1);
    expect(keys.verify({ ...CURL, signatures: signed(namesake, first) })).toHaveLength(2);
    const one = TrustedKeys.of([first.publicKey]);
    expect(one.verify({ ...CURL, signatures: signed(namesake) })).toEqual([]);
  });

  it("takes a path info, and other signatures than its own", () => {
    const pathInfo = PathInfo.of({ ...CURL, node: DUMMY_PATH_INFO.node, signatures: [forged] });
    const keys = TrustedKeys.of([first.publicKey]);
    expect(keys.verify(pathInfo)).toEqual([]);
    expect(keys.verify(pathInfo, signed(first))).toHaveLength(1);
  });

  it("reads the list of keys that Nix has in its settings", () => {
    const keys = TrustedKeys.parse(` ${CACHE_NIXOS_ORG}\n\t${NIX_PUBLIC_KEY} `);
    expect(keys.keys.map(String)).toEqual([CACHE_NIXOS_ORG, NIX_PUBLIC_KEY]);
    expect(keys.verify({ ...CURL, signatures: [CURL_SIGNATURE] })).toEqual([CURL_SIGNATURE]);
    expect(TrustedKeys.parse("").keys).toEqual([]);
    expect(() => TrustedKeys.parse("nonsense")).toThrow(InvalidKeyError);
  });
});

describe("parsers of keys and signatures", () => {
  it("answer any change of a text with a value or with their own error", () => {
    const parsers = [Signature.parse, SigningKey.parse, VerifyingKey.parse, TrustedKeys.parse];
    const texts = [TVIX_SECRET_KEY, TVIX_PUBLIC_KEY, TVIX_SIGNATURE];
    const piece = fc.oneof(
      fc.string({ unit: "binary-ascii", maxLength: 3 }),
      fc.constantFrom("=", ":", "A", "é", "\u{1f600}"),
    );
    let taken = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...texts),
        fc.nat(120),
        fc.nat(4),
        piece,
        (text, start, length, inserted) => {
          const changed = text.slice(0, start) + inserted + text.slice(start + length);
          for (const parse of parsers) {
            try {
              parse(changed);
              taken++;
            } catch (error) {
              if (!(error instanceof InvalidKeyError)) throw error;
            }
          }
        },
      ),
      { seed: 408, numRuns: 600 },
    );
    expect(taken).toBeGreaterThan(100);
  });
});
