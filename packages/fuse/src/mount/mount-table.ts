import { readFile } from "node:fs/promises";

/** Something that is mounted, as far as it matters here. */
export interface MountEntry {
  readonly id: number;
  readonly parentId: number;
  /** `MAJOR:MINOR` in decimal, by which the kernel names the file system. */
  readonly device: string;
  /** Absolute, as bytes are: not every name is UTF-8. */
  readonly mountPoint: Uint8Array;
  /** `ext4`, `fuse.tvix`, ... */
  readonly type: string;
}

/** What is mounted where this process is. Asks no mounted file system for anything. */
export async function readMountTable(): Promise<readonly MountEntry[]> {
  return parseMountTable(await readFile("/proc/self/mountinfo"));
}

/**
 * Reads the format of `/proc/PID/mountinfo` (proc_pid_mountinfo(5)):
 *
 * ```
 * ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [TAG...] - TYPE SOURCE SUPEROPTIONS
 * ```
 */
export function parseMountTable(bytes: Uint8Array): readonly MountEntry[] {
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
  return lines.split("\n").flatMap((line) => parseLine(line) ?? []);
}

function parseLine(line: string): MountEntry | undefined {
  const [id, parentId, device, , mountPoint, ...rest] = line.split(" ");
  const type = rest[rest.indexOf("-") + 1];
  if (device === undefined || mountPoint === undefined || type === undefined) return undefined;
  return {
    id: Number(id),
    parentId: Number(parentId),
    device,
    mountPoint: new Uint8Array(Buffer.from(unescapeOctal(mountPoint), "latin1")),
    type: unescapeOctal(type),
  };
}

/** Blanks, line breaks, backslashes and `#` are written as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** What is seen at a path: of several mounts there, the one over the others. */
export function mountAt(table: readonly MountEntry[], path: string): MountEntry | undefined {
  const wanted = Buffer.from(path);
  const here = table.filter(({ mountPoint }) => wanted.equals(mountPoint));
  return here.find(({ id }) => !here.some(({ parentId }) => parentId === id)) ?? here.at(-1);
}

/** What is mounted on directories of a mount. */
export function mountsOn(table: readonly MountEntry[], { id }: MountEntry): readonly MountEntry[] {
  return table.filter((entry) => entry.parentId === id && entry.id !== id);
}
