/**
 * PathInfo as the message `tvix.store.v1.PathInfo`, and back.
 *
 * Encoding is deterministic: fields by number, defaults left out, shortest varints. Decoding takes
 * these bytes and no others; the rules and their order are those of tvix since October 2024, and one
 * more at the end: a NAR size that Nix can hold.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { equalBytes, type Node, PathComponent } from "@tvix/castore";
import {
  NARInfo_CASchema,
  NARInfo_SignatureSchema,
  NARInfoSchema,
  PathInfoSchema,
  type NARInfo as ProtoNarInfo,
  type PathInfo as ProtoPathInfo,
  StorePathSchema,
} from "@tvix/protos/store";
import { InvalidPathInfoError, PathInfo } from "../path-info.js";
import { SHA256_LENGTH } from "../sha256/sha256.js";
import { Signature } from "../signature/signature.js";
import { STORE_PATH_DIGEST_LENGTH, StorePath } from "../store-path/store-path.js";
import { attempt } from "./attempt.js";
import { contentAddressFromProto, contentAddressToProto } from "./content-address-codec.js";
import { nodeFromProto, nodeToProto } from "./node-message.js";

/**
 * Longest encoding of a path info, in bytes: what peers that speak gRPC with their default settings
 * take. It leaves room for some 40,000 references.
 */
export const MAX_PATH_INFO_BYTES: number = 4 * 1024 * 1024;

/**
 * Encodes in the one way there is.
 *
 * @throws {@link InvalidPathInfoError} with reason "too-large" above {@link MAX_PATH_INFO_BYTES}
 */
export function encodePathInfo(pathInfo: PathInfo): Uint8Array {
  const bytes = toBinary(PathInfoSchema, pathInfoToProto(pathInfo));
  checkLength(bytes);
  return bytes;
}

/**
 * Decodes an encoding that {@link encodePathInfo} would write; anything else is refused. The result
 * shares no memory with `bytes`.
 *
 * @throws {@link InvalidPathInfoError} with the reason
 */
export function decodePathInfo(bytes: Uint8Array): PathInfo {
  checkLength(bytes);
  const message = parse(bytes);
  const pathInfo = pathInfoFromProto(message);
  if (!equalBytes(toBinary(PathInfoSchema, message), bytes)) {
    throw new InvalidPathInfoError("not-canonical", "its encoding is not the canonical one");
  }
  return pathInfo;
}

/** The message for `pathInfo`. */
export function pathInfoToProto(pathInfo: PathInfo): ProtoPathInfo {
  const { storePath, references, deriver, contentAddress } = pathInfo;
  return create(PathInfoSchema, {
    node: nodeToProto(PathComponent.parse(storePath.baseName), pathInfo.node),
    references: references.map((reference) => reference.digestBytes()),
    narinfo: create(NARInfoSchema, {
      narSize: pathInfo.narSize,
      narSha256: pathInfo.narSha256,
      referenceNames: references.map((reference) => reference.baseName),
      signatures: pathInfo.signatures.map((signature) =>
        create(NARInfo_SignatureSchema, { name: signature.keyName, data: signature.toBytes() }),
      ),
      ...(deriver && {
        deriver: create(StorePathSchema, { name: deriver.name, digest: deriver.digestBytes() }),
      }),
      ...(contentAddress && {
        ca: create(NARInfo_CASchema, contentAddressToProto(contentAddress)),
      }),
    }),
  });
}

/**
 * The path info that `message` describes. Unknown fields are not looked at.
 *
 * @throws {@link InvalidPathInfoError} with the reason
 */
export function pathInfoFromProto(message: ProtoPathInfo): PathInfo {
  const { narinfo } = message;
  if (narinfo === undefined) throw new InvalidPathInfoError("missing-narinfo", "it has no narinfo");
  const references = parseReferences(message.references, narinfo.referenceNames);
  const { name, node } = parseNode(message);
  const storePath = attempt("invalid-node-name", "the name of its node is not a store path", () =>
    StorePath.parse(name.toBytes()),
  );
  const { length } = narinfo.narSha256;
  if (length !== SHA256_LENGTH) {
    throw new InvalidPathInfoError(
      "nar-sha256-length",
      `the NAR hash has ${length} bytes, not ${SHA256_LENGTH}`,
    );
  }
  const deriver = parseDeriver(narinfo);
  const signatures = narinfo.signatures.map((signature) =>
    attempt("signature-length", "a signature has the wrong length", () =>
      Signature.of(signature.name, signature.data),
    ),
  );
  const contentAddress = narinfo.ca && contentAddressFromProto(narinfo.ca);
  const { narSize, narSha256 } = narinfo;
  return PathInfo.of({
    storePath,
    node,
    references,
    narSize,
    narSha256,
    signatures,
    deriver,
    contentAddress,
  });
}

function parseReferences(
  digests: readonly Uint8Array[],
  names: readonly string[],
): readonly StorePath[] {
  digests.forEach((digest, i) => {
    if (digest.byteLength === STORE_PATH_DIGEST_LENGTH) return;
    throw new InvalidPathInfoError(
      "reference-length",
      `reference ${i} has ${digest.byteLength} bytes, not ${STORE_PATH_DIGEST_LENGTH}`,
    );
  });
  if (names.length !== digests.length) {
    throw new InvalidPathInfoError(
      "reference-count",
      `it has ${digests.length} references but ${names.length} reference names`,
    );
  }
  return names.map((name, i) => {
    const storePath = attempt("reference-name", `name ${i} of its references is invalid`, () =>
      StorePath.parse(name),
    );
    if (!equalBytes(storePath.digestBytes(), digests[i] as Uint8Array)) {
      throw new InvalidPathInfoError(
        "reference-mismatch",
        `reference ${i} has another digest than its name ${storePath.baseName}`,
      );
    }
    return storePath;
  });
}

function parseNode(message: ProtoPathInfo): { name: PathComponent; node: Node } {
  const { node } = message;
  if (node?.node.case === undefined)
    throw new InvalidPathInfoError("missing-node", "it has no node");
  return attempt("invalid-node", "its node is invalid", () => nodeFromProto(node));
}

function parseDeriver({ deriver }: ProtoNarInfo): StorePath | undefined {
  if (deriver === undefined) return undefined;
  return attempt("invalid-deriver", "its deriver is invalid", () =>
    StorePath.of(deriver.digest, deriver.name),
  );
}

function parse(bytes: Uint8Array): ProtoPathInfo {
  try {
    return fromBinary(PathInfoSchema, bytes, { readUnknownFields: false });
  } catch (error) {
    // The library throws plain Errors, and RangeErrors where the bytes end too early.
    throw new InvalidPathInfoError("malformed", "it is not a protobuf message", { cause: error });
  }
}

function checkLength(bytes: Uint8Array): void {
  if (bytes.byteLength <= MAX_PATH_INFO_BYTES) return;
  throw new InvalidPathInfoError(
    "too-large",
    `${bytes.byteLength} bytes, more than ${MAX_PATH_INFO_BYTES}`,
  );
}
