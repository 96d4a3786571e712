import { toLatin1, toUtf8 } from "@tvix/castore";
import { ERRNO } from "../errno.js";
import type { Result } from "../file-system.js";
import type { InodeTable } from "./inode-table.js";
import { NODE_KIND } from "./node-kind.js";

/** Attributes that tell the digest behind a file or a directory, as text. */
export const DIGEST_ATTRIBUTES = {
  DIRECTORY: "user.tvix.castore.directory.digest",
  BLOB: "user.tvix.castore.blob.digest",
} as const;

/** The value of an extended attribute of an inode; ENODATA where it has none of that name. */
export function digestAttribute(
  inodes: InodeTable,
  nodeId: number,
  name: Uint8Array,
): Result<Uint8Array> {
  const slot = inodes.slotOf(nodeId);
  if (slot === 0) return ERRNO.ENOENT;
  const attribute = attributeOf(inodes, slot);
  if (attribute === undefined || toLatin1(name) !== attribute) return ERRNO.ENODATA;
  return toUtf8(inodes.digest(slot).toString());
}

/** Names of the extended attributes of an inode. */
export function digestAttributes(
  inodes: InodeTable,
  nodeId: number,
): Result<readonly Uint8Array[]> {
  const slot = inodes.slotOf(nodeId);
  if (slot === 0) return ERRNO.ENOENT;
  const attribute = attributeOf(inodes, slot);
  return attribute === undefined ? [] : [toUtf8(attribute)];
}

/** The attribute that an inode has, if it has one. */
function attributeOf(inodes: InodeTable, slot: number): string | undefined {
  if (!inodes.hasDigest(slot)) return undefined;
  return inodes.kind(slot) === NODE_KIND.DIRECTORY
    ? DIGEST_ATTRIBUTES.DIRECTORY
    : DIGEST_ATTRIBUTES.BLOB;
}
