import { create, toBinary } from "@bufbuild/protobuf";
import {
  type NARInfo_CA,
  NARInfo_CA_Hash,
  NARInfo_CASchema,
  PathInfoSchema,
  type PathInfo as ProtoPathInfo,
} from "@tvix/protos/store";
import { describe, expect, it } from "vitest";
import { InvalidPathInfoError } from "../path-info.js";
import { fromHex } from "../testing/bytes.js";
import { DUMMY_PATH_INFO } from "../testing/path-info-fixtures.js";
import { encodePathInfo } from "./path-info-codec.js";
import { pathInfoFromProto, pathInfoToProto } from "./path-info-message.js";

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
    ["NAR_SHA256", NARInfo_CA_Hash.NAR_SHA256, 32],
    ["NAR_SHA1", NARInfo_CA_Hash.NAR_SHA1, 20],
    ["NAR_SHA512", NARInfo_CA_Hash.NAR_SHA512, 64],
    ["NAR_MD5", NARInfo_CA_Hash.NAR_MD5, 16],
    ["TEXT_SHA256", NARInfo_CA_Hash.TEXT_SHA256, 32],
    ["FLAT_SHA1", NARInfo_CA_Hash.FLAT_SHA1, 20],
    ["FLAT_MD5", NARInfo_CA_Hash.FLAT_MD5, 16],
    ["FLAT_SHA256", NARInfo_CA_Hash.FLAT_SHA256, 32],
    ["FLAT_SHA512", NARInfo_CA_Hash.FLAT_SHA512, 64],
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
