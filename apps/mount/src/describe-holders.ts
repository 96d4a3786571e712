import { escapeBytes, toUtf8 } from "@tvix/castore";
import { findMountHolders, type MountEntry, mountsOn, readMountTable } from "@tvix/fuse";

/** Users that are named; there may be hundreds. */
const MAX_NAMED = 10;

/**
 * Who keeps a mount from being unmounted, for people: processes, and what is mounted inside. Names are shown
 * with everything escaped that could drive a terminal.
 */
export async function describeHolders(mount: MountEntry): Promise<string> {
  const inside = mountsOn(await readMountTable(), mount).map(
    ({ type, mountPoint }) => `${type} mounted at ${escapeBytes(mountPoint)}`,
  );
  const processes = (await findMountHolders(mount)).map(
    ({ pid, name, use, path }) => `process ${pid} (${shown(name)}): ${use} ${shown(path)}`,
  );
  const all = [...inside, ...processes];
  if (all.length === 0) return unseen();
  const rest = all.length - MAX_NAMED;
  return [...all.slice(0, MAX_NAMED), ...(rest > 0 ? [`${rest} more`] : [])].join("; ");
}

function unseen(): string {
  return process.geteuid?.() === 0
    ? "somebody that cannot be seen, as in another container"
    : "a process of somebody else, which root could see";
}

function shown(text: string): string {
  return escapeBytes(toUtf8(text)).replaceAll("\\x22", '"');
}
