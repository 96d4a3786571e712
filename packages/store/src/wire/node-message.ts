import { create } from "@bufbuild/protobuf";
import {
  B3Digest,
  directoryNode,
  fileNode,
  type Node,
  PathComponent,
  SymlinkTarget,
  symlinkNode,
} from "@tvix/castore";
import {
  DirectoryNodeSchema,
  FileNodeSchema,
  NodeSchema,
  type Node as ProtoNode,
  SymlinkNodeSchema,
} from "@tvix/protos/castore";

/** The message for a node under a name. */
export function nodeToProto(component: PathComponent, node: Node): ProtoNode {
  const name = component.toBytes();
  switch (node.type) {
    case "directory": {
      const { digest, size } = node;
      const value = create(DirectoryNodeSchema, { name, digest: digest.toBytes(), size });
      return create(NodeSchema, { node: { case: "directory", value } });
    }
    case "file": {
      const { digest, size, executable } = node;
      const value = create(FileNodeSchema, { name, digest: digest.toBytes(), size, executable });
      return create(NodeSchema, { node: { case: "file", value } });
    }
    case "symlink": {
      const value = create(SymlinkNodeSchema, { name, target: node.target.toBytes() });
      return create(NodeSchema, { node: { case: "symlink", value } });
    }
  }
}

/**
 * The node that `message` describes and its name.
 *
 * @throws {@link CastoreError} with code "INVALID_ARGUMENT" when a part is invalid
 * @throws {@link TypeError} when no node is set
 */
export function nodeFromProto({ node: message }: ProtoNode): { name: PathComponent; node: Node } {
  switch (message.case) {
    case "directory": {
      const { name, digest, size } = message.value;
      const node = directoryNode(B3Digest.fromBytes(digest), size);
      return { name: PathComponent.fromBytes(name), node };
    }
    case "file": {
      const { name, digest, size, executable } = message.value;
      const node = fileNode(B3Digest.fromBytes(digest), size, executable);
      return { name: PathComponent.fromBytes(name), node };
    }
    case "symlink": {
      const { name, target } = message.value;
      const node = symlinkNode(SymlinkTarget.fromBytes(target));
      return { name: PathComponent.fromBytes(name), node };
    }
    case undefined:
      throw new TypeError("Cannot read a node message: no node is set");
  }
}
