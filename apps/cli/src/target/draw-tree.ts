import type { Node } from "@tvix/castore";
import { quote } from "../args/quote.js";
import type { Host, Invocation } from "../command.js";
import { EXIT, UsageError } from "../exit.js";
import { displayName, jsonBytes } from "../format/names.js";
import { jsonNode } from "../format/nodes.js";
import { plural } from "../format/quantities.js";
import { type Output, toJson } from "../io/output.js";
import { withStore } from "../store/open.js";
import { resolve } from "./resolve.js";
import { parseTarget } from "./target.js";
import { type TreeStep, walkBelow } from "./walk-below.js";

/** Does what `tvix tree` promises. */
export async function drawTree(invocation: Invocation, host: Host): Promise<number> {
  const [text = "", inner] = invocation.arguments;
  const target = parseTarget(text, inner);
  const maxDepth = depthOf(invocation.options.value("depth"));
  const { signal, stdout } = host;
  await withStore(invocation, host, async (store) => {
    const { node, label } = await resolve(store, target, { signal });
    const steps = walkBelow(store.directories, node, { signal, maxDepth });
    if (invocation.options.has("json")) await printJson(stdout, node, steps);
    else await draw(stdout, { label, node }, steps);
  });
  return EXIT.ok;
}

function depthOf(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  throw new UsageError(`option --depth needs a number from 1, not ${quote(text)}`);
}

async function draw(
  stdout: Output,
  root: { readonly label: string; readonly node: Node },
  steps: AsyncIterable<TreeStep>,
): Promise<void> {
  const counts = { directory: 0, file: 0, symlink: 0 };
  await stdout.line(root.label + suffix(root.node));
  for await (const step of steps) {
    counts[step.node.type]++;
    await stdout.line(branches(step) + displayName(step.name.toBytes()) + suffix(step.node));
  }
  if (root.node.type !== "directory") return;
  const { directory, file, symlink } = counts;
  await stdout.line("");
  await stdout.line(
    `${plural(directory, "directory", "directories")}, ${plural(file, "file")}, ${plural(symlink, "symbolic link")}`,
  );
}

/** The lines that lead to a name: its own branch, and those that go on past it. */
function branches({ isLast, parent }: TreeStep): string {
  let text = isLast ? "└── " : "├── ";
  for (let at = parent; at !== undefined; at = at.parent) {
    text = (at.isLast ? "    " : "│   ") + text;
  }
  return text;
}

/** As `ls -F` marks them. */
function suffix(node: Node): string {
  switch (node.type) {
    case "directory":
      return "/";
    case "file":
      return node.executable ? "*" : "";
    case "symlink":
      return ` -> ${displayName(node.target.toBytes())}`;
  }
}

/** Writes the document piece by piece: it can be larger than memory. */
async function printJson(
  stdout: Output,
  root: Node,
  steps: AsyncIterable<TreeStep>,
): Promise<void> {
  let open = root.type === "directory" ? 1 : 0;
  let text = objectStart(jsonNode(root), open === 1);
  for await (const { name, node, depth } of steps) {
    // Back at an upper level: the directories below it are complete.
    const closed = open - depth;
    text += "]}".repeat(closed) + (text.endsWith("[") && closed === 0 ? "" : ",");
    text += objectStart(
      { ...jsonBytes("name", name.toBytes()), ...jsonNode(node) },
      node.type === "directory",
    );
    open = depth + (node.type === "directory" ? 1 : 0);
    await stdout.bytes(new TextEncoder().encode(text.slice(0, -1)));
    text = text.slice(-1);
  }
  await stdout.line(text + "]}".repeat(open));
}

function objectStart(value: Record<string, unknown>, isDirectory: boolean): string {
  const text = toJson(value);
  return isDirectory ? `${text.slice(0, -1)},"entries":[` : text;
}
