import { B3Digest, directoryNode } from "@tvix/castore";
import { contentAddress } from "../content-address.js";
import { NixHash } from "../nix-hash.js";
import { PathInfo, type PathInfoFields } from "../path-info.js";
import { StorePath } from "../store-path/store-path.js";
import { fromHex } from "./bytes.js";
import { SYMLINK_FIXTURE, SYMLINK_NODE } from "./nar-fixtures.js";

/** The store path of twenty zero bytes that the fixtures use. */
export const DUMMY_STORE_PATH: StorePath = StorePath.of(new Uint8Array(20), "dummy");

/** A path info in which everything is zero and which refers to itself; its root is stored nowhere. */
export const DUMMY_PATH_INFO: PathInfo = PathInfo.of({
  storePath: DUMMY_STORE_PATH,
  node: directoryNode(B3Digest.fromBytes(new Uint8Array(32)), 0n),
  references: [DUMMY_STORE_PATH],
  narSize: 0n,
  narSha256: new Uint8Array(32),
  contentAddress: contentAddress("nar", NixHash.of("sha256", new Uint8Array(32))),
});

/** A path info of a symbolic link, which needs nothing to be stored. */
export const SYMLINK_PATH_INFO: PathInfo = PathInfo.of({
  storePath: DUMMY_STORE_PATH,
  node: SYMLINK_NODE,
  narSize: SYMLINK_FIXTURE.narSize,
  narSha256: fromHex(SYMLINK_FIXTURE.narSha256),
});

/** An output hash that ends in a number, and begins with one for the order. */
export function digestOf(first: number, last = 0): Uint8Array {
  const digest = new Uint8Array(20);
  digest[0] = first;
  digest[19] = last;
  return digest;
}

/** A path info of a symbolic link, which needs nothing to be stored. */
export function pathInfoOf(digest: Uint8Array, fields: Partial<PathInfoFields> = {}): PathInfo {
  return PathInfo.of({
    storePath: StorePath.of(digest, "name"),
    node: SYMLINK_NODE,
    narSize: 136n,
    narSha256: new Uint8Array(32).fill(7),
    ...fields,
  });
}

/** The encoding of a path info, hexadecimal, as tvix has it in its tests. */
export interface PathInfoEncoding {
  readonly name: string;
  readonly pathInfo: PathInfo;
  readonly hex: string;
}

const ZERO_DIGEST = "00".repeat(32);
/** `00000000000000000000000000000000-dummy`, with its length before it. */
const DUMMY_NAME = `26${"30".repeat(32)}2d64756d6d79`;

/** Golden encodings. */
export const PATH_INFO_ENCODINGS: readonly PathInfoEncoding[] = [
  {
    name: "everything zero",
    pathInfo: DUMMY_PATH_INFO,
    hex: [
      `0a4c0a4a0a${DUMMY_NAME}1220${ZERO_DIGEST}`,
      `1214${"00".repeat(20)}`,
      `1a6e1220${ZERO_DIGEST}22${DUMMY_NAME}32221220${ZERO_DIGEST}`,
    ].join(""),
  },
  {
    name: "symbolic link",
    pathInfo: SYMLINK_PATH_INFO,
    hex: [
      `0a441a420a${DUMMY_NAME}12182f6e69782f73746f72652f736f6d657768657265656c7365`,
      "1a250888011220097d397e9b5826384eaa16c457715d1c1a51670313ead0f58566e0b232539cf1",
    ].join(""),
  },
];
