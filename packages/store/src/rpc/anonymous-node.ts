import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { decodeAnonymousNode, encodeNode, type Node } from "@tvix/castore";
import { NodeSchema, type Node as ProtoNode } from "@tvix/protos/castore";

/** The message for a node without a name. */
export function anonymousNodeToProto(node: Node): ProtoNode {
  return fromBinary(NodeSchema, encodeNode(node));
}

/**
 * The node that `message` describes; unknown fields are not looked at.
 *
 * @throws {@link InvalidNodeError} when it is invalid or has a name
 */
export function anonymousNodeFromProto(message: ProtoNode): Node {
  return decodeAnonymousNode(toBinary(NodeSchema, message, { writeUnknownFields: false }));
}
