/**
 * The encoding of a PathInfo, which is what a store keeps: the message `tvix.store.v1.PathInfo`,
 * deterministic.
 *
 *     PathInfo  = 1 node (castore.v1.Node, with the base name), 2 references*, 3 narinfo
 *     NARInfo   = 1 nar_size, 2 nar_sha256, 3 signatures*, 4 reference_names*, 5 deriver, 6 ca
 *     Signature = 1 name, 2 data      StorePath = 1 name, 2 digest      CA = 1 type, 2 digest
 *
 * Written by hand like the encoding of a Directory: the bytes are the format, and a general library
 * takes longer to load than most commands to run. Decoding takes these bytes and no others. Messages
 * from peers, which may be encoded in other ways, go through path-info-message.ts.
 */
import {
  concatBytes,
  decodeNode,
  encodeNode,
  InvalidNodeError,
  type NamedNode,
  PathComponent,
  toUtf8,
} from "@tvix/castore";
import { InvalidPathInfoError, type PathInfo } from "../path-info.js";
import { contentAddressToFields } from "./content-address-codec.js";
import { bytesField, elementField, numberField } from "./message-parts.js";
import { type MessageFields, MessageReader } from "./message-reader.js";
import { pathInfoFromFields, type RawNarInfo } from "./path-info-fields.js";

/**
 * Longest encoding of a path info, in bytes: what peers that speak gRPC with their default settings
 * take. It leaves room for some 40,000 references.
 */
export const MAX_PATH_INFO_BYTES: number = 4 * 1024 * 1024;

const PATH_INFO: MessageFields = { 1: "message", 2: "repeated", 3: "message" };
const NAR_INFO: MessageFields = {
  1: "varint",
  2: "bytes",
  3: "repeated",
  4: "repeated",
  5: "message",
  6: "message",
};
/** Signature and StorePath. */
const NAME_AND_BYTES: MessageFields = { 1: "bytes", 2: "bytes" };
const CONTENT_ADDRESS: MessageFields = { 1: "varint", 2: "bytes" };

const NOTHING: Uint8Array = new Uint8Array(0);
const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Encodes in the one way there is.
 *
 * @throws {@link InvalidPathInfoError} with reason "too-large" above {@link MAX_PATH_INFO_BYTES}
 */
export function encodePathInfo(pathInfo: PathInfo): Uint8Array {
  const { storePath, node, references } = pathInfo;
  const bytes = concatBytes([
    ...elementField(1, encodeNode(node, PathComponent.parse(storePath.baseName))),
    ...references.flatMap((reference) => elementField(2, reference.digestBytes())),
    ...elementField(3, encodeNarInfo(pathInfo)),
  ]);
  checkLength(bytes);
  return bytes;
}

function encodeNarInfo(pathInfo: PathInfo): Uint8Array {
  const { references, signatures, deriver, contentAddress } = pathInfo;
  return concatBytes([
    ...numberField(1, pathInfo.narSize),
    ...bytesField(2, pathInfo.narSha256),
    ...signatures.flatMap((signature) =>
      elementField(3, encodeNamed(signature.keyName, signature.toBytes())),
    ),
    ...references.flatMap((reference) => elementField(4, toUtf8(reference.baseName))),
    ...(deriver ? elementField(5, encodeNamed(deriver.name, deriver.digestBytes())) : []),
    ...(contentAddress ? elementField(6, encodeContentAddress(contentAddress)) : []),
  ]);
}

function encodeNamed(name: string, bytes: Uint8Array): Uint8Array {
  return concatBytes([...bytesField(1, toUtf8(name)), ...bytesField(2, bytes)]);
}

function encodeContentAddress(address: NonNullable<PathInfo["contentAddress"]>): Uint8Array {
  const { type, digest } = contentAddressToFields(address);
  return concatBytes([...numberField(1, BigInt(type)), ...bytesField(2, digest)]);
}

/**
 * Decodes an encoding that {@link encodePathInfo} would write; anything else is refused. The result
 * shares no memory with `bytes`.
 *
 * @throws {@link InvalidPathInfoError} with the reason
 */
export function decodePathInfo(bytes: Uint8Array): PathInfo {
  checkLength(bytes);
  let node: Uint8Array | undefined;
  let narinfo: RawNarInfo | undefined;
  const references: Uint8Array[] = [];
  const reader = new MessageReader(bytes, PATH_INFO);
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field === 1) node = reader.bytes();
    else if (field === 2) references.push(reader.bytes());
    else narinfo = readNarInfo(reader.bytes());
  }
  return pathInfoFromFields({ references, narinfo }, () => readNode(node ?? NOTHING));
}

function readNarInfo(bytes: Uint8Array): RawNarInfo {
  let narSize = 0n;
  let narSha256 = NOTHING;
  const signatures: { name: string; data: Uint8Array }[] = [];
  const referenceNames: Uint8Array[] = [];
  let deriver: RawNarInfo["deriver"];
  let ca: RawNarInfo["ca"];
  const reader = new MessageReader(bytes, NAR_INFO);
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field === 1) narSize = reader.number();
    else if (field === 2) narSha256 = reader.bytes();
    else if (field === 3) signatures.push(readSignature(reader.bytes()));
    else if (field === 4) referenceNames.push(reader.bytes());
    else if (field === 5) deriver = readStorePath(reader.bytes());
    else ca = readContentAddress(reader.bytes());
  }
  return { narSize, narSha256, signatures, referenceNames, deriver, ca };
}

function readSignature(bytes: Uint8Array): { name: string; data: Uint8Array } {
  const [name, data] = readNamed(bytes);
  try {
    return { name: STRICT_UTF8.decode(name), data };
  } catch (error) {
    const what = "the name of a key is not UTF-8";
    throw new InvalidPathInfoError("not-canonical", what, { cause: error });
  }
}

function readStorePath(bytes: Uint8Array): { name: Uint8Array; digest: Uint8Array } {
  const [name, digest] = readNamed(bytes);
  return { name, digest };
}

function readNamed(bytes: Uint8Array): [name: Uint8Array, bytes: Uint8Array] {
  const values: [Uint8Array, Uint8Array] = [NOTHING, NOTHING];
  const reader = new MessageReader(bytes, NAME_AND_BYTES);
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    values[field - 1] = reader.bytes();
  }
  return values;
}

function readContentAddress(bytes: Uint8Array): { type: number; digest: Uint8Array } {
  let type = 0;
  let digest = NOTHING;
  const reader = new MessageReader(bytes, CONTENT_ADDRESS);
  for (let field = reader.next(); field !== undefined; field = reader.next()) {
    if (field === 1) type = Number(reader.number());
    else digest = reader.bytes();
  }
  return { type, digest };
}

function readNode(bytes: Uint8Array): { name: PathComponent; node: NamedNode["node"] } {
  try {
    const { name, node } = decodeNode(bytes);
    if (name !== undefined) return { name, node };
  } catch (error) {
    if (!(error instanceof InvalidNodeError)) throw error;
    const reason = NODE_REASONS[error.reason];
    throw new InvalidPathInfoError(reason, `its node is invalid: ${error.message}`, {
      cause: error,
    });
  }
  throw new InvalidPathInfoError("invalid-node", "its node has no name");
}

/** What is wrong with a node is wrong with the path info around it. */
const NODE_REASONS = {
  "no-node": "missing-node",
  "several-nodes": "not-canonical",
  "name-in-anonymous-node": "invalid-node",
  "invalid-name": "invalid-node",
  "invalid-node": "invalid-node",
  "too-large": "invalid-node",
  malformed: "malformed",
  "not-canonical": "not-canonical",
} as const;

function checkLength(bytes: Uint8Array): void {
  if (bytes.byteLength <= MAX_PATH_INFO_BYTES) return;
  throw new InvalidPathInfoError(
    "too-large",
    `${bytes.byteLength} bytes, more than ${MAX_PATH_INFO_BYTES}`,
  );
}
