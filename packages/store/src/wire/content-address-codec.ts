import { type NARInfo_CA, NARInfo_CA_Hash } from "@tvix/protos/store";
import {
  type ContentAddress,
  type ContentAddressMethod,
  contentAddress,
} from "../content-address.js";
import { type HashAlgorithm, NixHash } from "../nix-hash.js";
import { InvalidPathInfoError } from "../path-info.js";
import { attempt } from "./attempt.js";

interface Kind {
  readonly type: NARInfo_CA_Hash;
  readonly method: ContentAddressMethod;
  readonly algorithm: HashAlgorithm;
}

/** Every kind that the message has a number for. */
const KINDS: readonly Kind[] = [
  { type: NARInfo_CA_Hash.NAR_SHA256, method: "nar", algorithm: "sha256" },
  { type: NARInfo_CA_Hash.NAR_SHA1, method: "nar", algorithm: "sha1" },
  { type: NARInfo_CA_Hash.NAR_SHA512, method: "nar", algorithm: "sha512" },
  { type: NARInfo_CA_Hash.NAR_MD5, method: "nar", algorithm: "md5" },
  { type: NARInfo_CA_Hash.TEXT_SHA256, method: "text", algorithm: "sha256" },
  { type: NARInfo_CA_Hash.FLAT_SHA1, method: "flat", algorithm: "sha1" },
  { type: NARInfo_CA_Hash.FLAT_MD5, method: "flat", algorithm: "md5" },
  { type: NARInfo_CA_Hash.FLAT_SHA256, method: "flat", algorithm: "sha256" },
  { type: NARInfo_CA_Hash.FLAT_SHA512, method: "flat", algorithm: "sha512" },
];

/** The fields of the message for `address`. */
export function contentAddressToProto(address: ContentAddress): {
  type: NARInfo_CA_Hash;
  digest: Uint8Array;
} {
  const { method, hash } = address;
  const kind = KINDS.find((kind) => kind.method === method && kind.algorithm === hash.algorithm);
  if (kind === undefined) {
    throw new TypeError(
      `Cannot encode a content address: no number for ${method} ${hash.algorithm}`,
    );
  }
  return { type: kind.type, digest: hash.toBytes() };
}

/**
 * The content address that `message` describes.
 *
 * @throws {@link InvalidPathInfoError} with reason "ca-type" or "ca-length"
 */
export function contentAddressFromProto({ type, digest }: NARInfo_CA): ContentAddress {
  const kind = KINDS.find((kind) => kind.type === type);
  if (kind === undefined) {
    throw new InvalidPathInfoError("ca-type", `its content address has the unknown type ${type}`);
  }
  const hash = attempt("ca-length", "its content address is invalid", () =>
    NixHash.of(kind.algorithm, digest),
  );
  return contentAddress(kind.method, hash);
}
