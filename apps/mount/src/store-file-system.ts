import type { BlobService, DirectoryService, Node, PathComponent } from "@tvix/castore";
import { CastoreFileSystem, type CastoreFileSystemOptions, rootOfNode } from "@tvix/fuse";
import { PathInfoRootNodes, type PathInfoService } from "@tvix/store";

/** Where the content of a {@link storeFileSystem} comes from. */
export interface MountedServices {
  readonly blobs: BlobService;
  readonly directories: DirectoryService;
  readonly pathInfos: PathInfoService;
}

/** One node of a store. */
export interface NamedNode {
  readonly node: Node;
  /** What a file or a symbolic link is shown as; a directory is shown by its content. */
  readonly name: PathComponent;
}

/** What is shown of a store, and how. */
export type StoreFileSystemOptions = Pick<
  CastoreFileSystemOptions,
  "listRoot" | "xattrs" | "owner"
>;

/**
 * A store as a file system: all its store paths by their base names, or one node.
 *
 * @param shown - `undefined` for the whole store; one node can be listed whatever the options say
 */
export function storeFileSystem(
  services: MountedServices,
  shown: NamedNode | undefined,
  options: StoreFileSystemOptions,
): CastoreFileSystem {
  if (shown === undefined) {
    const root = new PathInfoRootNodes(services.pathInfos);
    return new CastoreFileSystem({ ...services, root }, options);
  }
  const root = rootOfNode(shown.node, shown.name);
  return new CastoreFileSystem({ ...services, root }, { ...options, listRoot: true });
}
