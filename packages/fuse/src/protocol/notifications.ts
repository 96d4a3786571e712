import { REPLY_HEADER_SIZE } from "./header.js";
import { writeUint64 } from "./numbers.js";

/** enum fuse_notify_code of linux/fuse.h, which stands in place of the error. */
const NOTIFY = { INVALIDATE_INODE: 2, INVALIDATE_ENTRY: 3, DELETE: 6 } as const;

const INVALIDATE_INODE_SIZE = 24;
const INVALIDATE_ENTRY_SIZE = 16;
const DELETE_SIZE = 24;

/** FUSE_NOTIFY_INVAL_INODE, fuse_notify_inval_inode_out: `ino: u64; off, len: i64`. */
export function encodeInvalidateInode(
  nodeId: number,
  offset: number,
  length: number,
): readonly Uint8Array[] {
  const view = startMessage(NOTIFY.INVALIDATE_INODE, INVALIDATE_INODE_SIZE, 0);
  writeUint64(view, 16, nodeId);
  writeUint64(view, 24, offset);
  writeUint64(view, 32, length);
  return [bytesOf(view)];
}

/** FUSE_NOTIFY_INVAL_ENTRY, fuse_notify_inval_entry_out: `parent: u64; namelen, flags: u32`, and the name with a NUL. */
export function encodeInvalidateEntry(parent: number, name: Uint8Array): readonly Uint8Array[] {
  const view = startMessage(NOTIFY.INVALIDATE_ENTRY, INVALIDATE_ENTRY_SIZE, name.byteLength + 1);
  writeUint64(view, 16, parent);
  view.setUint32(24, name.byteLength, true);
  return [bytesOf(view), name, NUL];
}

/** FUSE_NOTIFY_DELETE, fuse_notify_delete_out: `parent, child: u64; namelen, padding: u32`, and the name with a NUL. */
export function encodeDelete(
  parent: number,
  child: number,
  name: Uint8Array,
): readonly Uint8Array[] {
  const view = startMessage(NOTIFY.DELETE, DELETE_SIZE, name.byteLength + 1);
  writeUint64(view, 16, parent);
  writeUint64(view, 24, child);
  view.setUint32(32, name.byteLength, true);
  return [bytesOf(view), name, NUL];
}

const NUL = new Uint8Array(1);

/** fuse_out_header with unique 0 and the code as its error. */
function startMessage(code: number, fixedSize: number, nameSize: number): DataView {
  const view = new DataView(new ArrayBuffer(REPLY_HEADER_SIZE + fixedSize));
  view.setUint32(0, REPLY_HEADER_SIZE + fixedSize + nameSize, true);
  view.setInt32(4, code, true);
  return view;
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer);
}
