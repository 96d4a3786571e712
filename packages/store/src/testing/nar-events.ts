import { concatBytes } from "@tvix/castore";
import type { NarEvent } from "../nar/nar-event.js";
import type { MemoryTree } from "./nar-reference.js";

interface OpenDirectory {
  readonly name: Uint8Array | undefined;
  readonly entries: [name: Uint8Array, tree: MemoryTree][];
}

/** Puts the tree together that a NAR says, all of it in memory. */
export async function treeOfEvents(
  events: AsyncIterable<NarEvent> | Iterable<NarEvent>,
): Promise<MemoryTree> {
  const open: OpenDirectory[] = [];
  let root: MemoryTree | undefined;
  let file: { name: Uint8Array | undefined; executable: boolean; pieces: Uint8Array[] } | undefined;
  const place = (name: Uint8Array | undefined, tree: MemoryTree) => {
    if (name === undefined) root = tree;
    else open.at(-1)?.entries.push([name, tree]);
  };
  for await (const event of events) {
    if (event.type === "directory") open.push({ name: event.name?.toBytes(), entries: [] });
    else if (event.type === "directory-end") {
      const directory = open.pop();
      place(directory?.name, { type: "directory", entries: directory?.entries ?? [] });
    } else if (event.type === "file") {
      file = { name: event.name?.toBytes(), executable: event.executable, pieces: [] };
    } else if (event.type === "content") file?.pieces.push(event.bytes);
    else if (event.type === "file-end") {
      const content = concatBytes(file?.pieces ?? []);
      place(file?.name, { type: "file", content, executable: file?.executable ?? false });
    } else {
      place(event.name?.toBytes(), { type: "symlink", target: event.target.toBytes() });
    }
  }
  if (root === undefined) throw new Error("The events of a NAR ended before its tree");
  return root;
}
