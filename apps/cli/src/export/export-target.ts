import { type ExportProgress, exportTree } from "@tvix/castore/fs";
import { wordBytes } from "../args/raw-words.js";
import type { Host, Invocation } from "../command.js";
import { EXIT } from "../exit.js";
import { jsonBytes } from "../format/names.js";
import { jsonNode } from "../format/nodes.js";
import { formatBytes, plural } from "../format/quantities.js";
import { Progress } from "../io/progress.js";
import { withStore } from "../store/open.js";
import { resolve } from "../target/resolve.js";
import { parseTarget } from "../target/target.js";

/** Does what `tvix export` promises. */
export async function exportTarget(invocation: Invocation, host: Host): Promise<number> {
  const { options } = invocation;
  const words = [...invocation.arguments];
  const destination = wordBytes(words.pop() ?? "");
  const [text = "", inner] = words;
  const target = parseTarget(text, inner);
  const { signal, stdout, stderr } = host;
  await withStore(invocation, host, async (store) => {
    const { node } = await resolve(store, target, { signal });
    using line = new Progress(stderr, { hidden: options.has("quiet") });
    const done = await exportTree(store, node, destination, {
      signal,
      writable: options.has("writable"),
      hardlink: options.has("hardlink"),
      onProgress: (progress) => line.update(() => describe(progress)),
    });
    if (options.has("json")) {
      await stdout.json({ ...jsonBytes("path", destination), root: jsonNode(node), ...done });
    }
    stderr.status("");
    if (!options.has("quiet")) stderr.line(`exported ${describe(done)}`);
  });
  return EXIT.ok;
}

function describe({ entries, bytes }: ExportProgress): string {
  return `${plural(entries, "entry", "entries")}, ${formatBytes(bytes)}`;
}
