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

/**
 * A store as a file system: all its store paths by their base names, or one node.
 *
 * @param shown - `undefined` for the whole store
 */
export function storeFileSystem(
  services: MountedServices,
  shown: NamedNode | undefined,
  options: CastoreFileSystemOptions,
): CastoreFileSystem {
  const root =
    shown === undefined
      ? new PathInfoRootNodes(services.pathInfos)
      : rootOfNode(shown.node, shown.name);
  return new CastoreFileSystem({ ...services, root }, options);
}
