import {
  type ContentAddress,
  type ContentAddressMethod,
  contentAddress,
} from "../content-address.js";
import { type HashAlgorithm, NixHash } from "../nix-hash.js";
import { InvalidPathInfoError } from "../path-info.js";
import { attempt } from "./attempt.js";

/** Numbers of `tvix.store.v1.NARInfo.CA.Hash`. */
export type ContentAddressType = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8;

interface Kind {
  readonly type: ContentAddressType;
  readonly method: ContentAddressMethod;
  readonly algorithm: HashAlgorithm;
}

/** Every kind that has a number. */
const KINDS: readonly Kind[] = [
  { type: 0, method: "nar", algorithm: "sha256" },
  { type: 1, method: "nar", algorithm: "sha1" },
  { type: 2, method: "nar", algorithm: "sha512" },
  { type: 3, method: "nar", algorithm: "md5" },
  { type: 4, method: "text", algorithm: "sha256" },
  { type: 5, method: "flat", algorithm: "sha1" },
  { type: 6, method: "flat", algorithm: "md5" },
  { type: 7, method: "flat", algorithm: "sha256" },
  { type: 8, method: "flat", algorithm: "sha512" },
];

/** The fields of the message for `address`. */
export function contentAddressToFields(address: ContentAddress): {
  type: ContentAddressType;
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
 * The content address that the fields of the message describe.
 *
 * @throws {@link InvalidPathInfoError} with reason "ca-type" or "ca-length"
 */
export function contentAddressFromFields({
  type,
  digest,
}: {
  readonly type: number;
  readonly digest: Uint8Array;
}): ContentAddress {
  const kind = KINDS.find((kind) => kind.type === type);
  if (kind === undefined) {
    throw new InvalidPathInfoError("ca-type", `its content address has the unknown type ${type}`);
  }
  const hash = attempt("ca-length", "its content address is invalid", () =>
    NixHash.of(kind.algorithm, digest),
  );
  return contentAddress(kind.method, hash);
}
