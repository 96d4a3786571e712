import { join } from "node:path";
import { cleanEnvironment, versionOf } from "../operations/tool.js";
import { tvixCommand } from "../operations/tvix-tool.js";
import { type Command, measure } from "../process/measure.js";
import type { Trees } from "../trees/make-trees.js";
import type { FileSystemId } from "./mount-run.js";
import type { MountedTrees } from "./work.js";

/** A way to see the trees. */
export interface ServedFileSystem {
  readonly id: Exclude<FileSystemId, "native">;
  /** The program that serves it in the foreground. */
  command(mountPoint: string): Command;
  /** Where the trees are. */
  trees(mountPoint: string): MountedTrees;
}

/** Longer than a run takes. */
const TIMEOUT_SECONDS = 86_400;

/** Versions of the programs of others. */
export function peerVersions(): readonly string[] {
  const squashfs = versionOf("mksquashfs", "-version");
  const bindfs = versionOf("bindfs", "--version");
  return [squashfs, bindfs].filter((version) => version !== undefined);
}

/**
 * Makes what each of them serves, in `folder`.
 *
 * squashfuse_ll is the nearest peer: it too reads what is compressed, here with zstd like ours. bindfs passes on what lies on
 * disk; both may remember names and attributes as long as ours does.
 */
export async function prepareFileSystems(
  folder: string,
  { T1, T2 }: Pick<Trees, "T1" | "T2">,
  signal: AbortSignal,
): Promise<readonly ServedFileSystem[]> {
  const image = join(folder, "image.squashfs");
  const data = join(folder, "data");
  const run = async (command: Command): Promise<string> =>
    (await measure(command, { stdout: "keep", signal })).stdout.trim();
  await run({
    program: "mksquashfs",
    args: [T1, T2, image, "-comp", "zstd", "-no-progress", "-quiet", "-keep-as-directory"],
    env: cleanEnvironment({}),
  });
  const imported = async (tree: string): Promise<string> => {
    const path = await run(tvixCommand("import", "--data-dir", data, tree));
    return path.slice(path.lastIndexOf("/") + 1);
  };
  const [names1, names2] = [await imported(T1), await imported(T2)];
  const sameNames = (mountPoint: string): MountedTrees => ({
    T1: join(mountPoint, "T1"),
    T2: join(mountPoint, "T2"),
  });
  return [
    {
      id: "tvix",
      command: (mountPoint) => tvixCommand("mount", "--foreground", "--data-dir", data, mountPoint),
      trees: (mountPoint) => ({ T1: join(mountPoint, names1), T2: join(mountPoint, names2) }),
    },
    {
      id: "squashfuse",
      command: (mountPoint) => ({
        program: "squashfuse_ll",
        args: ["-f", "-o", `timeout=${TIMEOUT_SECONDS}`, image, mountPoint],
      }),
      trees: sameNames,
    },
    {
      id: "bindfs",
      command: (mountPoint) => ({
        program: "bindfs",
        args: [
          "-f",
          "-o",
          `ro,kernel_cache,entry_timeout=${TIMEOUT_SECONDS},attr_timeout=${TIMEOUT_SECONDS}`,
          join(T1, ".."),
          mountPoint,
        ],
      }),
      trees: sameNames,
    },
  ];
}
