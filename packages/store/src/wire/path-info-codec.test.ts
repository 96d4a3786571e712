import { create, toBinary } from "@bufbuild/protobuf";
import { equalNodes, toHex } from "@tvix/castore";
import { SeededRandom } from "@tvix/castore/testing";
import {
  type NARInfo_CA,
  NARInfo_CASchema,
  PathInfoSchema,
  type PathInfo as ProtoPathInfo,
} from "@tvix/protos/store";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { equalContentAddresses } from "../content-address.js";
import { StoreError } from "../errors.js";
import { InvalidPathInfoError, PathInfo } from "../path-info.js";
import type { StorePath } from "../store-path/store-path.js";
import { fromHex } from "../testing/bytes.js";
import { pathInfos } from "../testing/path-info-arbitrary.js";
import { DUMMY_PATH_INFO, PATH_INFO_ENCODINGS } from "../testing/path-info-fixtures.js";
import {
  decodePathInfo,
  encodePathInfo,
  MAX_PATH_INFO_BYTES,
  pathInfoFromProto,
  pathInfoToProto,
} from "./path-info-codec.js";

function failure(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** A content address with any number for its type, also one that means nothing. */
function addressMessage(type: number, digestLength: number): NARInfo_CA {
  const message = create(NARInfo_CASchema, { digest: new Uint8Array(digestLength) });
  return Object.assign(message, { type });
}

/** A message that is valid but for what `change` does to it. */
function changed(change: (message: Message) => void): Message {
  const message = pathInfoToProto(DUMMY_PATH_INFO) as Message;
  message.narinfo.signatures.push({
    $typeName: "tvix.store.v1.NARInfo.Signature",
    name: "key",
    data: new Uint8Array(64),
  });
  message.narinfo.deriver = {
    $typeName: "tvix.store.v1.StorePath",
    name: "deriver",
    digest: new Uint8Array(20),
  };
  change(message);
  return message;
}

type Message = ProtoPathInfo & { narinfo: NonNullable<ProtoPathInfo["narinfo"]> };

describe("encodePathInfo()", () => {
  it.each(PATH_INFO_ENCODINGS)("encodes the fixture $name as tvix does", ({ pathInfo, hex }) => {
    expect(toHex(encodePathInfo(pathInfo))).toBe(hex);
  });

  it("refuses what exceeds the limit", () => {
    const { storePath, node, narSize, narSha256 } = DUMMY_PATH_INFO;
    const references = Array<StorePath>(70_000).fill(storePath);
    const pathInfo = PathInfo.of({ storePath, node, narSize, narSha256, references });
    expect(failure(() => encodePathInfo(pathInfo))).toMatchObject({ reason: "too-large" });
  });
});

describe("decodePathInfo()", () => {
  it.each(PATH_INFO_ENCODINGS)("decodes the fixture $name", ({ pathInfo, hex }) => {
    const decoded = decodePathInfo(fromHex(hex));
    expect(decoded.storePath.equals(pathInfo.storePath)).toBe(true);
    expect(equalNodes(decoded.node, pathInfo.node)).toBe(true);
    expect(decoded.references.map(String)).toEqual(pathInfo.references.map(String));
    expect(decoded.narSize).toBe(pathInfo.narSize);
    expect(decoded.narSha256).toEqual(pathInfo.narSha256);
  });

  it("undoes encodePathInfo()", () => {
    fc.assert(
      fc.property(pathInfos, (pathInfo) => {
        const decoded = decodePathInfo(encodePathInfo(pathInfo));
        expect(decoded.storePath.equals(pathInfo.storePath)).toBe(true);
        expect(equalNodes(decoded.node, pathInfo.node)).toBe(true);
        expect(decoded.references.map(String)).toEqual(pathInfo.references.map(String));
        expect(decoded.narSize).toBe(pathInfo.narSize);
        expect(decoded.narSha256).toEqual(pathInfo.narSha256);
        expect(decoded.deriver?.baseName).toBe(pathInfo.deriver?.baseName);
        expect(decoded.signatures).toHaveLength(pathInfo.signatures.length);
        decoded.signatures.forEach((signature, i) => {
          expect(pathInfo.signatures[i]?.equals(signature)).toBe(true);
        });
        const [a, b] = [decoded.contentAddress, pathInfo.contentAddress];
        expect(a === undefined || b === undefined ? a === b : equalContentAddresses(a, b)).toBe(
          true,
        );
      }),
      { seed: 60, numRuns: 300 },
    );
  });

  it("shares no memory with its input", () => {
    const bytes = encodePathInfo(DUMMY_PATH_INFO);
    const decoded = decodePathInfo(bytes);
    bytes.fill(0xff);
    expect(encodePathInfo(decoded)).toEqual(encodePathInfo(DUMMY_PATH_INFO));
  });

  it("refuses more bytes than the limit before it looks at them", () => {
    const error = failure(() => decodePathInfo(new Uint8Array(MAX_PATH_INFO_BYTES + 1)));
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason: "too-large" });
  });

  it.each([
    ["nothing", "", "missing-narinfo"],
    ["a tag alone", "0a", "malformed"],
    ["a length beyond the end", "0a05", "malformed"],
    ["field number 0", "0200", "malformed"],
    ["groups in groups", "0b".repeat(10_000), "malformed"],
    ["an endless varint", `18${"ff".repeat(20)}`, "malformed"],
  ])("refuses %s", (_, hex, reason) => {
    const error = failure(() => decodePathInfo(fromHex(hex)));
    expect(error).toBeInstanceOf(InvalidPathInfoError);
    expect(error).toMatchObject({ reason });
  });

  it.each([
    ["an unknown field", (hex: string) => `${hex}2001`],
    ["a length with a needless byte", (hex: string) => hex.replace("0a4c0a4a", "0a4d0aca00")],
    ["an explicit default", (hex: string) => hex.replace("1a6e", "1a700800")],
    ["fields in another order", (hex: string) => hex.slice(156) + hex.slice(0, 156)],
  ])("refuses %s", (_, change) => {
    const hex = PATH_INFO_ENCODINGS[0]?.hex ?? "";
    const error = failure(() => decodePathInfo(fromHex(change(hex))));
    expect(error).toMatchObject({ reason: "not-canonical" });
  });

  it("takes no prefix of an encoding for a path info", () => {
    const bytes = encodePathInfo(DUMMY_PATH_INFO);
    for (let length = 0; length < bytes.byteLength; length++) {
      const error = failure(() => decodePathInfo(bytes.subarray(0, length)));
      expect(error).toBeInstanceOf(InvalidPathInfoError);
    }
  });

  it("meets mutated encodings with typed errors only", () => {
    const random = new SeededRandom(2024);
    const samples = fc.sample(pathInfos, { seed: 61, numRuns: 40 }).map(encodePathInfo);
    const seeds = [...samples, ...PATH_INFO_ENCODINGS.map(({ hex }) => fromHex(hex))];
    let refused = 0;
    for (let round = 0; round < 20_000; round++) {
      const bytes = mutate(random, random.pick(seeds), random.pick(seeds));
      const error = failure(() => {
        expect(encodePathInfo(decodePathInfo(bytes))).toEqual(bytes);
      });
      if (error === undefined) continue;
      refused++;
      expect(error).toBeInstanceOf(InvalidPathInfoError);
      expect(StoreError.is(error, "INVALID_ARGUMENT")).toBe(true);
    }
    expect(refused).toBeGreaterThan(5000);
  });
});

/** Changes, drops, doubles or splices a few bytes. */
function mutate(random: SeededRandom, seed: Uint8Array, other: Uint8Array): Uint8Array {
  let bytes = [...seed];
  for (let count = 1 + random.below(3); count > 0; count--) {
    const at = random.below(bytes.length + 1);
    const length = 1 + random.below(8);
    switch (random.below(5)) {
      case 0:
        bytes[at] = random.below(256);
        break;
      case 1:
        bytes[at] = random.pick([0, 0x7f, 0x80, 0xff]);
        break;
      case 2:
        bytes.splice(at, length);
        break;
      case 3:
        bytes.splice(at, 0, ...bytes.slice(at, at + length));
        break;
      default:
        bytes = [...bytes.slice(0, at), ...other.subarray(random.below(other.byteLength))];
    }
  }
  return Uint8Array.from(bytes);
}

describe("pathInfoFromProto()", () => {
  const reference = new Uint8Array(20);
  const cases: readonly (readonly [string, string, (message: Message) => void])[] = [
    ["no narinfo", "missing-narinfo", (m) => Reflect.deleteProperty(m, "narinfo")],
    [
      "a reference of 19 bytes",
      "reference-length",
      (m) => {
        m.references = [new Uint8Array(19)];
      },
    ],
    ["a reference without a name", "reference-count", (m) => m.references.push(reference)],
    ["a name without a reference", "reference-count", (m) => m.narinfo.referenceNames.push("x")],
    [
      "a reference name that is none",
      "reference-name",
      (m) => {
        m.narinfo.referenceNames = ["00bgd045z0d4icpbc2yyz4gx48ak44la-net tools"];
      },
    ],
    [
      "an absolute reference name",
      "reference-name",
      (m) => {
        m.narinfo.referenceNames = [`/nix/store/${"0".repeat(32)}-dummy`];
      },
    ],
    [
      "a reference name with another digest",
      "reference-mismatch",
      (m) => {
        m.narinfo.referenceNames = [`${"0".repeat(31)}1-dummy`];
      },
    ],
    [
      "no node",
      "missing-node",
      (m) => {
        m.node = undefined;
      },
    ],
    [
      "a node that is nothing",
      "missing-node",
      (m) => {
        if (m.node) m.node.node = { case: undefined };
      },
    ],
    [
      "a root digest of 31 bytes",
      "invalid-node",
      (m) => editRoot(m, { digest: new Uint8Array(31) }),
    ],
    ["an empty root name", "invalid-node", (m) => editRoot(m, { name: new Uint8Array(0) })],
    ["a root name with a slash", "invalid-node", (m) => editRoot(m, { name: fromHex("612f62") })],
    [
      "a root name that is no store path",
      "invalid-node-name",
      (m) => editRoot(m, { name: fromHex("61") }),
    ],
    [
      "a NAR hash of 31 bytes",
      "nar-sha256-length",
      (m) => {
        m.narinfo.narSha256 = new Uint8Array(31);
      },
    ],
    ["a deriver without a name", "invalid-deriver", (m) => editDeriver(m, { name: "" })],
    ["a deriver with a bad name", "invalid-deriver", (m) => editDeriver(m, { name: "a b" })],
    [
      "a deriver digest of 21 bytes",
      "invalid-deriver",
      (m) => editDeriver(m, { digest: new Uint8Array(21) }),
    ],
    [
      "a signature of 63 bytes",
      "signature-length",
      (m) => {
        m.narinfo.signatures.forEach((signature) => {
          signature.data = new Uint8Array(63);
        });
      },
    ],
    [
      "a content address of an unknown type",
      "ca-type",
      (m) => {
        m.narinfo.ca = addressMessage(9, 32);
      },
    ],
    [
      "a NAR too large for Nix",
      "nar-size",
      (m) => {
        m.narinfo.narSize = 2n ** 63n;
      },
    ],
  ];

  function editRoot(message: Message, change: { name?: Uint8Array; digest?: Uint8Array }): void {
    if (message.node?.node.case === "directory") Object.assign(message.node.node.value, change);
  }

  function editDeriver(message: Message, change: { name?: string; digest?: Uint8Array }): void {
    Object.assign(message.narinfo.deriver ?? {}, change);
  }

  it("takes the message that the cases below start from", () => {
    expect(failure(() => pathInfoFromProto(changed(() => undefined)))).toBeUndefined();
  });

  it.each(cases)("refuses %s", (_, reason, change) => {
    const error = failure(() => pathInfoFromProto(changed(change)));
    expect(error).toBeInstanceOf(InvalidPathInfoError);
    expect(error).toMatchObject({ code: "INVALID_ARGUMENT", reason });
  });

  it("checks in the order of the rules", () => {
    // What breaks two rules is refused for the earlier one.
    cases.forEach(([, reason, change], i) => {
      for (const [, laterReason, laterChange] of cases.slice(i + 1)) {
        if (laterReason === reason) continue;
        const message = changed((m) => {
          laterChange(m);
          change(m);
        });
        const error = failure(() => pathInfoFromProto(message));
        expect(error).toMatchObject({ reason });
      }
    });
  });

  it.each([
    ["NAR_SHA256", 0, 32],
    ["NAR_SHA1", 1, 20],
    ["NAR_SHA512", 2, 64],
    ["NAR_MD5", 3, 16],
    ["TEXT_SHA256", 4, 32],
    ["FLAT_SHA1", 5, 20],
    ["FLAT_MD5", 6, 16],
    ["FLAT_SHA256", 7, 32],
    ["FLAT_SHA512", 8, 64],
  ])("takes a content address %s of its length only", (_, type, length) => {
    const withLength = (digestLength: number) =>
      changed((m) => {
        m.narinfo.ca = addressMessage(type, digestLength);
      });
    const parsed = pathInfoFromProto(withLength(length));
    expect(pathInfoToProto(parsed).narinfo?.ca).toMatchObject({ type });
    for (const other of [0, length - 1, length + 1]) {
      const error = failure(() => pathInfoFromProto(withLength(other)));
      expect(error).toMatchObject({ reason: "ca-length" });
    }
  });

  it("does not mind a deriver whose name ends in .drv", () => {
    const parsed = pathInfoFromProto(changed((m) => editDeriver(m, { name: "x.drv" })));
    expect(parsed.deriver?.name).toBe("x.drv");
  });

  it("writes what it read", () => {
    const message = changed(() => undefined);
    const bytes = toBinary(PathInfoSchema, message);
    expect(encodePathInfo(pathInfoFromProto(message))).toEqual(bytes);
  });
});
