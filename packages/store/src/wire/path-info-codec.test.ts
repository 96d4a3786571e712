import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { equalBytes, equalNodes, toHex } from "@tvix/castore";
import { SeededRandom } from "@tvix/castore/testing";
import { NARInfo_CASchema, PathInfoSchema } from "@tvix/protos/store";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { equalContentAddresses } from "../content-address.js";
import { StoreError } from "../errors.js";
import { InvalidPathInfoError, PathInfo } from "../path-info.js";
import type { StorePath } from "../store-path/store-path.js";
import { fromHex } from "../testing/bytes.js";
import { pathInfos } from "../testing/path-info-arbitrary.js";
import { DUMMY_PATH_INFO, PATH_INFO_ENCODINGS } from "../testing/path-info-fixtures.js";
import { decodePathInfo, encodePathInfo, MAX_PATH_INFO_BYTES } from "./path-info-codec.js";
import { pathInfoFromProto, pathInfoToProto } from "./path-info-message.js";

function failure(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

/**
 * What protobuf-es makes of an encoding.
 *
 * @returns the path info, or the reason of the refusal and whether the encoding was the canonical one
 */
function modelDecode(
  bytes: Uint8Array,
): PathInfo | { readonly reason: string; readonly isCanonical: boolean } {
  let isCanonical = false;
  try {
    const message = fromBinary(PathInfoSchema, bytes, { readUnknownFields: false });
    isCanonical = equalBytes(toBinary(PathInfoSchema, message), bytes);
    const pathInfo = pathInfoFromProto(message);
    return isCanonical ? pathInfo : { reason: "not-canonical", isCanonical };
  } catch (error) {
    const reason = error instanceof InvalidPathInfoError ? error.reason : "malformed";
    return { reason, isCanonical };
  }
}

/** Both decoders say the same of `bytes`. */
function expectAsModel(bytes: Uint8Array): void {
  const model = modelDecode(bytes);
  const error = failure(() => decodePathInfo(bytes));
  if (model instanceof PathInfo) {
    expect(error).toBeUndefined();
    expect(encodePathInfo(decodePathInfo(bytes))).toEqual(encodePathInfo(model));
    return;
  }
  expect(error).toBeInstanceOf(InvalidPathInfoError);
  // Of an encoding that is not canonical, the strict reader finds that first.
  if (model.isCanonical) expect(error).toMatchObject({ reason: model.reason });
}

describe("encodePathInfo()", () => {
  it.each(PATH_INFO_ENCODINGS)("encodes the fixture $name as tvix does", ({ pathInfo, hex }) => {
    expect(toHex(encodePathInfo(pathInfo))).toBe(hex);
  });

  it("writes the bytes that protobuf-es writes", () => {
    fc.assert(
      fc.property(pathInfos, (pathInfo) => {
        const model = toBinary(PathInfoSchema, pathInfoToProto(pathInfo));
        expect(encodePathInfo(pathInfo)).toEqual(model);
      }),
      { seed: 62, numRuns: 500 },
    );
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

  it("takes messages with any fields as protobuf-es does, and refuses them for the same reasons", () => {
    let accepted = 0;
    const short = fc.uint8Array({ maxLength: 3 });
    const bytesOf = (length: number) =>
      fc.oneof(
        { weight: 8, arbitrary: fc.uint8Array({ minLength: length, maxLength: length }) },
        short,
      );
    const edits = fc.record(
      {
        references: fc.array(bytesOf(20), { maxLength: 2 }),
        referenceNames: fc.array(fc.string({ unit: "binary", maxLength: 4 }), { maxLength: 2 }),
        narSha256: bytesOf(32),
        narSize: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        deriver: fc.record({ name: fc.constantFrom("", "x", "a b"), digest: bytesOf(20) }),
        signature: fc.record({ name: fc.string({ unit: "binary" }), data: bytesOf(64) }),
        ca: fc.record({ type: fc.integer({ min: -1, max: 9 }), digest: bytesOf(32) }),
        target: short,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(pathInfos, edits, (pathInfo, edit) => {
        const bytes = toBinary(PathInfoSchema, edited(pathInfo, edit));
        expectAsModel(bytes);
        if (modelDecode(bytes) instanceof PathInfo) accepted++;
      }),
      { seed: 63, numRuns: 2000 },
    );
    expect(accepted).toBeGreaterThan(20);
    expect(accepted).toBeLessThan(1000);
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
      expectAsModel(bytes);
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

/** The message of `pathInfo` with other values in some of its fields. */
function edited(
  pathInfo: PathInfo,
  edit: {
    readonly references?: Uint8Array[];
    readonly referenceNames?: string[];
    readonly narSha256?: Uint8Array;
    readonly narSize?: bigint;
    readonly deriver?: { readonly name: string; readonly digest: Uint8Array };
    readonly signature?: { readonly name: string; readonly data: Uint8Array };
    readonly ca?: { readonly type: number; readonly digest: Uint8Array };
    readonly target?: Uint8Array;
  },
): ReturnType<typeof pathInfoToProto> {
  const message = pathInfoToProto(pathInfo);
  const { references, target, signature, deriver, ca, ...narinfo } = edit;
  if (references !== undefined) message.references = references;
  const { node } = message.node ?? {};
  if (node?.case === "symlink" && target !== undefined) node.value.target = target;
  if (message.narinfo === undefined) return message;
  Object.assign(message.narinfo, narinfo);
  if (signature !== undefined) {
    message.narinfo.signatures.push({ $typeName: "tvix.store.v1.NARInfo.Signature", ...signature });
  }
  if (deriver !== undefined) {
    message.narinfo.deriver = { $typeName: "tvix.store.v1.StorePath", ...deriver };
  }
  if (ca !== undefined) {
    message.narinfo.ca = Object.assign(create(NARInfo_CASchema), ca);
  }
  return message;
}
