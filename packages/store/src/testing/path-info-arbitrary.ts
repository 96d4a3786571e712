import {
  B3Digest,
  directoryNode,
  fileNode,
  type Node,
  SymlinkTarget,
  symlinkNode,
} from "@tvix/castore";
import fc from "fast-check";
import { type ContentAddress, contentAddress } from "../content-address.js";
import { HASH_LENGTHS, type HashAlgorithm, NixHash } from "../nix-hash.js";
import { PathInfo } from "../path-info.js";
import { Signature } from "../signature/signature.js";
import { StorePath } from "../store-path/store-path.js";

function bytes(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

const storePaths: fc.Arbitrary<StorePath> = fc
  .tuple(
    bytes(20),
    fc.string({ unit: fc.constantFrom(..."0aZ+-._?="), minLength: 1, maxLength: 211 }),
  )
  .map(([digest, name]) => StorePath.of(digest, name));

const digests = bytes(32).map((value) => B3Digest.fromBytes(value));
const sizes = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

const nodes: fc.Arbitrary<Node> = fc.oneof(
  fc.tuple(digests, sizes).map(([digest, size]) => directoryNode(digest, size)),
  fc
    .tuple(digests, sizes, fc.boolean())
    .map(([digest, size, executable]) => fileNode(digest, size, executable)),
  fc
    .uint8Array({ min: 1, minLength: 1, maxLength: 300 })
    .map((target) => symlinkNode(SymlinkTarget.fromBytes(target))),
);

/** Content addresses of every kind. */
export const contentAddresses: fc.Arbitrary<ContentAddress> = fc
  .constantFrom(
    ["text", "sha256"] as const,
    ...(["nar", "flat"] as const).flatMap((method) =>
      (["md5", "sha1", "sha256", "sha512"] as const).map(
        (algorithm: HashAlgorithm) => [method, algorithm] as const,
      ),
    ),
  )
  .chain(([method, algorithm]) =>
    bytes(HASH_LENGTHS[algorithm]).map((digest) =>
      contentAddress(method, NixHash.of(algorithm, digest)),
    ),
  );

const signatures: fc.Arbitrary<Signature> = fc
  .tuple(fc.string({ unit: "binary", maxLength: 20 }), bytes(64))
  .map(([keyName, data]) => Signature.of(keyName, data));

/** Path infos with any fields. */
export const pathInfos: fc.Arbitrary<PathInfo> = fc
  .record({
    storePath: storePaths,
    node: nodes,
    references: fc.array(storePaths, { maxLength: 4 }),
    narSize: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
    narSha256: bytes(32),
    signatures: fc.array(signatures, { maxLength: 3 }),
    deriver: fc.option(storePaths, { nil: undefined }),
    contentAddress: fc.option(contentAddresses, { nil: undefined }),
  })
  .map((fields) => PathInfo.of(fields));
