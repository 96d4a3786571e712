import { toUtf8 } from "@tvix/castore";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contentAddress } from "../content-address.js";
import { NixHash } from "../nix-hash.js";
import { PathInfo } from "../path-info.js";
import { isKeyName } from "../signature/key-text.js";
import { Signature } from "../signature/signature.js";
import { StorePath } from "../store-path/store-path.js";
import { SYMLINK_NODE } from "../testing/nar-fixtures.js";
import { NIX_PATHS } from "../testing/nix-paths.js";
import { pathInfos } from "../testing/path-info-arbitrary.js";
import { SYMLINK_PATH_INFO } from "../testing/path-info-fixtures.js";
import { encodePathInfo } from "../wire/path-info-codec.js";
import { narinfoFromPathInfo, pathInfoFromNarinfo } from "./convert.js";
import { formatNarinfo } from "./format.js";
import {
  InvalidNarinfoError,
  MAX_NARINFO_BYTES,
  MAX_NARINFO_SIGNATURES,
  type Narinfo,
} from "./narinfo.js";
import { parseNarinfo } from "./parse.js";

const GOLDEN = NIX_PATHS.map(({ narinfo }) => narinfo);
const [PLAIN = ""] = GOLDEN;
const SIGNATURE = /^Sig: .*\n/m.exec(PLAIN)?.[0] ?? "";
const REFERENCE = "5sghw35jqr9bl3i06pb0yv636axdgg4c-text-b";

/** The text with one line replaced, or taken out. */
function withLine(key: string, line: string): string {
  const pattern = new RegExp(`^${key}: .*\n`, "m");
  expect(PLAIN).toMatch(pattern);
  return PLAIN.replace(pattern, () => line);
}

describe("parseNarinfo() and formatNarinfo()", () => {
  it.each(NIX_PATHS)("keep what Nix wrote to the byte: $name", ({ narinfo }) => {
    expect(formatNarinfo(parseNarinfo(narinfo))).toBe(narinfo);
    expect(formatNarinfo(parseNarinfo(toUtf8(narinfo)))).toBe(narinfo);
  });

  it("keep every path info that fits", () => {
    fc.assert(
      fc.property(pathInfos, (pathInfo) => {
        fc.pre(pathInfo.narSize > 0n);
        const text = formatNarinfo(narinfoFromPathInfo(pathInfo, FILE));
        const narinfo = parseNarinfo(text);
        expect(formatNarinfo(narinfo)).toBe(text);
        expect(encodePathInfo(pathInfoFromNarinfo(narinfo, pathInfo.node))).toEqual(
          encodePathInfo(asNixKeepsIt(pathInfo)),
        );
      }),
      { seed: 404, numRuns: 300 },
    );
  });
});

const FILE = {
  url: "nar/x.nar.xz",
  compression: "xz",
  fileHash: NixHash.of("sha256", new Uint8Array(32)),
  fileSize: 17n,
} as const;

/** References and signatures sorted and each once, without what Nix cannot read. */
function asNixKeepsIt(pathInfo: PathInfo): PathInfo {
  const { storePath, node, narSize, narSha256, deriver, contentAddress } = pathInfo;
  const references = new Map(pathInfo.references.map((path) => [path.baseName, path]));
  const signatures = new Map(
    pathInfo.signatures
      .filter(({ keyName }) => isKeyName(keyName))
      .map((signature) => [signature.format(), signature]),
  );
  return PathInfo.of({
    storePath,
    node,
    narSize,
    narSha256,
    references: [...references.keys()].sort().map((name) => StorePath.parse(name)),
    signatures: [...signatures.keys()].sort().map((text) => Signature.parse(text)),
    ...(deriver !== undefined && deriver.name.length <= 207 ? { deriver } : {}),
    contentAddress,
  });
}

describe("parseNarinfo()", () => {
  it("tells every field", () => {
    const narinfo = parseNarinfo(
      [
        `StorePath: /nix/store/f6fnr9dghj5024hmjvm6h532xfj656b2-selfish`,
        "URL: nar/x.nar.zst?a=b:c",
        "Compression: zstd",
        "FileHash: sha1:rm3q5przf1fbni0fhvxj4pb6q2cm75c3",
        "FileSize: 9223372036854775807",
        `NarHash: sha256:${"0".repeat(52)}`,
        "NarSize: 920",
        `References: ${REFERENCE} 0000000000000000000000000000000-z-a ${REFERENCE}`.replace(
          "0000000000000000000000000000000-z-a",
          `${"0".repeat(32)}-z`,
        ),
        "Deriver: zg5ncddjy6k9sngpnasykgk6n7kmc15c-selfish.drv",
        "System: x86_64-linux",
        SIGNATURE.trimEnd(),
        "CA: text:sha256:0y3n0skar3syz4g4m88f3wnl7sz4klv2fxil5rlh4lb3qxh5apbx",
        "",
      ].join("\n"),
    );
    expect(String(narinfo.storePath)).toMatch(/-selfish$/);
    expect(narinfo.url).toBe("nar/x.nar.zst?a=b:c");
    expect(narinfo.compression).toBe("zstd");
    expect(narinfo.fileHash?.algorithm).toBe("sha1");
    expect(narinfo.fileSize).toBe(2n ** 63n - 1n);
    expect(narinfo.narSha256).toEqual(new Uint8Array(32));
    expect(narinfo.narSize).toBe(920n);
    expect(narinfo.references.map((path) => path.baseName)).toEqual([
      `${"0".repeat(32)}-z`,
      REFERENCE,
    ]);
    expect(narinfo.deriver?.name).toBe("selfish.drv");
    expect(narinfo.system).toBe("x86_64-linux");
    expect(narinfo.signatures.map(({ keyName }) => keyName)).toEqual(["test.example-1"]);
    expect(narinfo.contentAddress?.method).toBe("text");
  });

  // What Nix 2.8 takes: tried one by one.
  it.each<readonly [string, string, Partial<Narinfo>]>([
    ["no Compression, as bzip2", withLine("Compression", ""), { compression: "bzip2" }],
    ["an empty Compression", withLine("Compression", "Compression: \n"), { compression: "bzip2" }],
    ["no FileHash", withLine("FileHash", ""), {}],
    ["no FileSize", withLine("FileSize", ""), {}],
    ["a wrong FileSize", withLine("FileSize", "FileSize: 1\n"), { fileSize: 1n }],
    ["no References", withLine("References", ""), { references: [] }],
    ["an unknown deriver", `${PLAIN}Deriver: unknown-deriver\n`, {}],
    ["an empty CA", withLine("CA", "CA: \n"), {}],
    ["an empty System", `${PLAIN}System: \n`, {}],
    ["no signature", PLAIN.replace(SIGNATURE, ""), { signatures: [] }],
    ["a signature that is none", PLAIN.replace(SIGNATURE, "Sig: x\n"), { signatures: [] }],
    ["unknown keys, even twice", `${PLAIN}X: \nX: \u0000\n`, {}],
    [
      "another order",
      PLAIN.split(/(?<=\n)/)
        .reverse()
        .join(""),
      {},
    ],
    [
      "a NarHash in hexadecimal",
      withLine("NarHash", `NarHash: sha256:${"00".repeat(32)}\n`),
      { narSha256: new Uint8Array(32) },
    ],
    [
      "a NarHash as SRI",
      withLine("NarHash", `NarHash: sha256-${"A".repeat(43)}=\n`),
      { narSha256: new Uint8Array(32) },
    ],
  ])("takes %s", (_, text, expected) => {
    expect(text).not.toBe(PLAIN);
    expect(parseNarinfo(text)).toMatchObject(expected);
  });

  it.each<readonly [string, string, string, number | undefined, string | undefined]>([
    // What Nix 2.8 refuses: tried one by one.
    ["nothing", "", "missing-key", undefined, "StorePath"],
    ["no final line break", PLAIN.slice(0, -1), "no-final-newline", 10, undefined],
    ["a blank line", `${PLAIN}\n`, "line", 11, undefined],
    ["CRLF", PLAIN.replaceAll("\n", "\r\n"), "store-path", 1, "StorePath"],
    ["a byte order mark", `\u{feff}${PLAIN}`, "missing-key", undefined, "StorePath"],
    ["no space", withLine("References", "References:\n"), "line", 8, undefined],
    ["a tab for the space", withLine("References", "References:\t\n"), "line", 8, undefined],
    ["a line without colon", `x\n${PLAIN}`, "line", 1, undefined],
    ["two colons before the space", `X:: \n${PLAIN}`, "line", 1, undefined],
    ["no StorePath", withLine("StorePath", ""), "missing-key", undefined, "StorePath"],
    ["no URL", withLine("URL", ""), "missing-key", undefined, "URL"],
    ["no NarHash", withLine("NarHash", ""), "missing-key", undefined, "NarHash"],
    ["no NarSize", withLine("NarSize", ""), "missing-key", undefined, "NarSize"],
    ["an empty URL", withLine("URL", "URL: \n"), "url", 2, "URL"],
    ["a NarSize of zero", withLine("NarSize", "NarSize: 0\n"), "nar-size", 7, "NarSize"],
    ["a negative NarSize", withLine("NarSize", "NarSize: -1\n"), "nar-size", 7, "NarSize"],
    ["a NarSize with a sign", withLine("NarSize", "NarSize: +1\n"), "nar-size", 7, "NarSize"],
    ["a NarSize of 2^63", withLine("NarSize", `NarSize: ${2n ** 63n}\n`), "nar-size", 7, "NarSize"],
    ["no number", withLine("FileSize", "FileSize: x\n"), "file-size", 5, "FileSize"],
    ["a FileHash that is none", withLine("FileHash", "FileHash: x\n"), "file-hash", 4, "FileHash"],
    ["a NarHash without name", withLine("NarHash", "NarHash: x\n"), "nar-hash", 6, "NarHash"],
    [
      "a store path that is relative",
      withLine("StorePath", "StorePath: x\n"),
      "store-path",
      1,
      "StorePath",
    ],
    [
      "a store path elsewhere",
      withLine("StorePath", `StorePath: /gnu/store/${REFERENCE}\n`),
      "store-path",
      1,
      "StorePath",
    ],
    [
      "absolute references",
      withLine("References", `References: /nix/store/${REFERENCE}\n`),
      "references",
      8,
      "References",
    ],
    ["an empty Deriver", `${PLAIN}Deriver: \n`, "deriver", 11, "Deriver"],
    ["a CA that is none", withLine("CA", "CA: x\n"), "content-address", 10, "CA"],
    // What Nix takes and we do not.
    [
      "a second NarHash",
      `${PLAIN}${withLine("URL", "").split("\n")[4]}\n`,
      "duplicate-key",
      11,
      "NarHash",
    ],
    ["a second References", `${PLAIN}References: \n`, "duplicate-key", 11, "References"],
    ["a second CA", `${PLAIN}CA: \n`, "duplicate-key", 11, "CA"],
    [
      "a NarHash by SHA-512",
      withLine("NarHash", `NarHash: sha512:${"00".repeat(64)}\n`),
      "nar-hash",
      6,
      "NarHash",
    ],
    [
      "a strange Compression",
      withLine("Compression", "Compression: a b\n"),
      "compression",
      3,
      "Compression",
    ],
    ["controls in System", `${PLAIN}System: a\u0007\n`, "system", 11, "System"],
  ])("refuses %s", (_, text, reason, line, key) => {
    expect(() => parseNarinfo(text)).toThrow(InvalidNarinfoError);
    expect(() => parseNarinfo(text)).toThrow(expect.objectContaining({ reason, line, key }));
  });

  it("tells the place and the reason in its message", () => {
    expect(() => parseNarinfo(withLine("NarSize", "NarSize: 0\n"))).toThrow(
      "Invalid narinfo in line 7: NarSize is wrong: no NAR is empty",
    );
  });

  it("refuses more than it is meant to read", () => {
    const long = (bytes: number) => `${PLAIN}X: ${"x".repeat(bytes - PLAIN.length - 4)}\n`;
    expect(parseNarinfo(long(MAX_NARINFO_BYTES)).narSize).toBe(880n);
    expect(() => parseNarinfo(long(MAX_NARINFO_BYTES + 1))).toThrow(
      expect.objectContaining({ reason: "too-large" }),
    );
    const many = PLAIN + "Sig: x\n".repeat(MAX_NARINFO_SIGNATURES);
    expect(parseNarinfo(many).signatures).toHaveLength(1);
    const more = PLAIN + SIGNATURE.repeat(MAX_NARINFO_SIGNATURES);
    expect(() => parseNarinfo(more)).toThrow(
      expect.objectContaining({ reason: "too-many-signatures" }),
    );
  });

  it("answers any change of a narinfo with a narinfo or with its own error", () => {
    const mutation = fc.record({
      kind: fc.constantFrom("insert", "delete", "replace", "repeat", "cut", "drop", "move"),
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      length: fc.nat(40),
      text: fc.oneof(
        fc.string({ unit: "binary-ascii", maxLength: 4 }),
        fc.constantFrom(
          "\n",
          ": ",
          ":",
          " ",
          "\r",
          "\0",
          "-",
          "/nix/store/",
          "Sig: ",
          "CA: \n",
          "é",
          "\u{1f600}",
        ),
      ),
    });
    let accepted = 0;
    fc.assert(
      fc.property(
        fc.constantFrom(...GOLDEN),
        fc.array(mutation, { minLength: 1, maxLength: 3 }),
        (golden, mutations) => {
          const text = mutations.reduce(mutate, golden);
          try {
            const narinfo = parseNarinfo(text);
            accepted++;
            // Whatever is taken can be handed on, and reads as the same again.
            const { fileHash = FILE.fileHash, fileSize = FILE.fileSize } = narinfo;
            const again = formatNarinfo({ ...narinfo, fileHash, fileSize });
            expect(formatNarinfo(parseNarinfo(again))).toBe(again);
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidNarinfoError);
          }
        },
      ),
      { seed: 405, numRuns: 4000 },
    );
    // The fuzzer reaches both sides.
    expect(accepted).toBeGreaterThan(100);
    expect(accepted).toBeLessThan(3900);
  });
});

function mutate(
  text: string,
  { kind, at, length, text: piece }: { kind: string; at: number; length: number; text: string },
): string {
  const start = Math.floor(at * text.length);
  const end = Math.min(text.length, start + length);
  switch (kind) {
    case "insert":
      return text.slice(0, start) + piece + text.slice(start);
    case "delete":
      return text.slice(0, start) + text.slice(end);
    case "replace":
      return text.slice(0, start) + piece + text.slice(end);
    case "repeat":
      return text.slice(0, end) + text.slice(start);
    case "cut":
      return text.slice(0, start);
    default: {
      const lines = text.split(/(?<=\n)/);
      const taken = lines.splice(Math.floor(at * lines.length), 1);
      return [...(kind === "move" ? taken : []), ...lines].join("");
    }
  }
}

describe("formatNarinfo()", () => {
  const narinfo = parseNarinfo(PLAIN);

  it("fills in the hash and size of a file that is the NAR", () => {
    const { fileHash, fileSize, ...rest } = narinfo;
    expect([fileHash?.algorithm, fileSize]).toEqual(["sha256", 880n]);
    expect(formatNarinfo(rest)).toBe(PLAIN);
  });

  it.each<readonly [string, Partial<Narinfo>, string]>([
    ["a URL with a line break", { url: "nar/x\nSig: y" }, "url"],
    ["a compression with a line break", { compression: "none\nSig: y" }, "compression"],
    ["an empty compression", { compression: "" }, "compression"],
    ["a system with a line break", { system: "x\nSig: y" }, "system"],
    ["an empty system", { system: "" }, "system"],
    ["an empty NAR", { narSize: 0n }, "nar-size"],
    ["a compressed file of unknown hash", { compression: "xz", fileHash: undefined }, "file-hash"],
    ["a compressed file of unknown size", { compression: "xz", fileSize: undefined }, "file-size"],
  ])("refuses %s", (_, change, reason) => {
    expect(() => formatNarinfo({ ...narinfo, ...change })).toThrow(
      expect.objectContaining({ name: "InvalidNarinfoError", reason }),
    );
  });

  it("refuses a signature whose name would add a line", () => {
    const signatures = [Signature.of("x\nCA: y", new Uint8Array(64))];
    expect(() => formatNarinfo({ ...narinfo, signatures })).toThrow(
      expect.objectContaining({ name: "InvalidKeyError", reason: "name" }),
    );
  });

  it("sorts references and signatures, each once", () => {
    const a = Signature.of("a", new Uint8Array(64));
    const b = Signature.of("b", new Uint8Array(64));
    const [x, y] = [StorePath.parse(`${"0".repeat(32)}-x`), StorePath.parse(REFERENCE)];
    const text = formatNarinfo({ ...narinfo, signatures: [b, a, b], references: [y, x, y] });
    expect(text).toContain(`References: ${x.baseName} ${y.baseName}\n`);
    expect(text.match(/^Sig: ./gm)).toEqual(["Sig: a", "Sig: b"]);
  });
});

describe("narinfoFromPathInfo()", () => {
  it("writes what tvix writes, and what it leaves out", () => {
    const url = "nar/tvix-castore/GhoSGC9uaXgvc3RvcmUvc29tZXdoZXJlZWxzZQ?narsize=136";
    const { narSha256, narSize } = SYMLINK_PATH_INFO;
    const fileHash = NixHash.of("sha256", narSha256);
    const options = { url, compression: "none", fileHash, fileSize: narSize };
    expect(formatNarinfo(narinfoFromPathInfo(SYMLINK_PATH_INFO, options))).toBe(
      [
        "StorePath: /nix/store/00000000000000000000000000000000-dummy",
        `URL: ${url}`,
        "Compression: none",
        "FileHash: sha256:1wcwacrb5q36hpsx1shk0dkm26hwbmqmgi0nm973h9jqkdz3jz89",
        "FileSize: 136",
        "NarHash: sha256:1wcwacrb5q36hpsx1shk0dkm26hwbmqmgi0nm973h9jqkdz3jz89",
        "NarSize: 136",
        "References: ",
        "",
      ].join("\n"),
    );
  });

  const full = PathInfo.of({
    storePath: StorePath.parse("f6fnr9dghj5024hmjvm6h532xfj656b2-selfish"),
    node: SYMLINK_NODE,
    narSize: 920n,
    narSha256: new Uint8Array(32),
    references: [StorePath.parse(REFERENCE)],
    signatures: [Signature.of("a", new Uint8Array(64)), Signature.of("a\n", new Uint8Array(64))],
    deriver: StorePath.parse("zg5ncddjy6k9sngpnasykgk6n7kmc15c-selfish"),
    contentAddress: contentAddress("nar", NixHash.of("sha256", new Uint8Array(32))),
  });

  it("gives the deriver its suffix back, and adds signatures", () => {
    const signatures = [Signature.of("b", new Uint8Array(64)), ...full.signatures];
    const narinfo = narinfoFromPathInfo(full, { ...FILE, signatures });
    expect(narinfo.deriver?.baseName).toBe("zg5ncddjy6k9sngpnasykgk6n7kmc15c-selfish.drv");
    expect(narinfo.signatures.map(({ keyName }) => keyName)).toEqual(["a", "b"]);
  });

  it("leaves out a deriver whose name has no room for its suffix", () => {
    const deriver = StorePath.of(new Uint8Array(20), "x".repeat(208));
    const { storePath, node, narSize, narSha256 } = full;
    const pathInfo = PathInfo.of({ storePath, node, narSize, narSha256, deriver });
    expect(narinfoFromPathInfo(pathInfo, FILE).deriver).toBeUndefined();
  });
});

describe("pathInfoFromNarinfo()", () => {
  const narinfo = parseNarinfo(NIX_PATHS[7]?.narinfo ?? "");

  it("keeps all that is true of the path wherever it is", () => {
    const pathInfo = pathInfoFromNarinfo(narinfo, SYMLINK_NODE);
    expect(pathInfo.storePath.name).toBe("selfish");
    expect(pathInfo.deriver?.baseName).toBe("zg5ncddjy6k9sngpnasykgk6n7kmc15c-selfish");
    expect(pathInfo.references).toHaveLength(2);
    expect(pathInfo.signatures).toHaveLength(1);
    expect(pathInfo.narSize).toBe(920n);
  });

  it.each(["selfish", ".drv"])("leaves out the deriver %s, which is no derivation", (name) => {
    const deriver = StorePath.of(new Uint8Array(20), name);
    expect(pathInfoFromNarinfo({ ...narinfo, deriver }, SYMLINK_NODE).deriver).toBeUndefined();
  });

  it("takes a signature that occurs twice once", () => {
    const signatures = [...narinfo.signatures, ...narinfo.signatures];
    expect(pathInfoFromNarinfo({ ...narinfo, signatures }, SYMLINK_NODE).signatures).toHaveLength(
      1,
    );
  });
});
