/**
 * PathInfo as the message that goes over the wire, and back. What a store keeps is encoded and decoded
 * by path-info-codec.ts.
 */
import { create } from "@bufbuild/protobuf";
import { type Node, PathComponent } from "@tvix/castore";
import {
  NARInfo_CASchema,
  NARInfo_SignatureSchema,
  NARInfoSchema,
  PathInfoSchema,
  type PathInfo as ProtoPathInfo,
  StorePathSchema,
} from "@tvix/protos/store";
import { InvalidPathInfoError, type PathInfo } from "../path-info.js";
import { attempt } from "./attempt.js";
import { contentAddressToFields } from "./content-address-codec.js";
import { nodeFromProto, nodeToProto } from "./node-message.js";
import { pathInfoFromFields } from "./path-info-fields.js";

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
        ca: create(NARInfo_CASchema, contentAddressToFields(contentAddress)),
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
  return pathInfoFromFields(message, () => parseNode(message));
}

function parseNode(message: ProtoPathInfo): { name: PathComponent; node: Node } {
  const { node } = message;
  if (node?.node.case === undefined)
    throw new InvalidPathInfoError("missing-node", "it has no node");
  return attempt("invalid-node", "its node is invalid", () => nodeFromProto(node));
}
