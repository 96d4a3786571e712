import type { CallOptions, Node } from "@tvix/castore";
import type { CastoreServices } from "../nar/renderer.js";

/**
 * Whether the Directory or blob of `root` is stored. What lies below a Directory is the business of the
 * services, which take one only after what it refers to.
 *
 * @internal
 */
export async function isRootStored(
  { blobs, directories }: CastoreServices,
  root: Node,
  options: CallOptions,
): Promise<boolean> {
  switch (root.type) {
    case "directory":
      return (await directories.get(root.digest, options)) !== undefined;
    case "file":
      return await blobs.has(root.digest, options);
    case "symlink":
      return true;
  }
}
