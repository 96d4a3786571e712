/**
 * Archives that Linux unpacks into its first file system: cpio of the new ASCII format
 * (Documentation/driver-api/early-userspace/buffer-format.rst of Linux).
 */

/** A file of an archive. Directories come before what is in them. */
export interface CpioEntry {
  /** Without a slash in front. */
  readonly name: string;
  /** Type and permissions, as st_mode. */
  readonly mode: number;
  readonly content?: Uint8Array;
  /** Major and minor number of a device. */
  readonly device?: readonly [number, number];
}

/** An archive of all entries. */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  const all = [...entries, { name: "TRAILER!!!", mode: 0 }];
  return Buffer.concat(all.flatMap((entry, i) => entryParts(entry, i + 1)));
}

function entryParts(entry: CpioEntry, inode: number): Uint8Array[] {
  const { name, mode, content = new Uint8Array(0), device = [0, 0] } = entry;
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, ...device, name.length + 1, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, "0")).join("")}`;
  return [padded(Buffer.from(`${head}${name}\0`, "latin1")), padded(content)];
}

function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, new Uint8Array((4 - (bytes.length % 4)) % 4)]);
}
