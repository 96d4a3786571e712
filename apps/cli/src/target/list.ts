import type { Node, PathComponent } from "@tvix/castore";
import type { Host, Invocation } from "../command.js";
import { EXIT, UsageError } from "../exit.js";
import { displayName, jsonBytes } from "../format/names.js";
import { jsonNode, modeText } from "../format/nodes.js";
import type { Output } from "../io/output.js";
import { withStore } from "../store/open.js";
import { resolve } from "./resolve.js";
import { parseTarget } from "./target.js";
import { namesOf, walkBelow } from "./walk-below.js";

type Format = "plain" | "long" | "null" | "json";

/** Does what `tvix ls` promises. */
export async function list(invocation: Invocation, host: Host): Promise<number> {
  const [text = "", inner] = invocation.arguments;
  const target = parseTarget(text, inner);
  const format = formatOf(invocation);
  const { signal, stdout } = host;
  await withStore(invocation, host, async (store) => {
    const { node, label } = await resolve(store, target, { signal });
    if (node.type !== "directory") {
      const own = new TextEncoder().encode(label.slice(label.lastIndexOf("/") + 1));
      await print(stdout, format, target.path.fileName?.toBytes() ?? own, node);
      return;
    }
    const depth = invocation.options.has("recursive") ? {} : { maxDepth: 1 };
    for await (const step of walkBelow(store.directories, node, { signal, ...depth })) {
      await print(stdout, format, join(namesOf(step)), step.node);
    }
  });
  return EXIT.ok;
}

function formatOf({ options }: Invocation): Format {
  const given = (["long", "null", "json"] as const).filter((name) => options.has(name));
  if (given.length > 1) throw new UsageError(`--${given.join(" and --")} exclude each other`);
  return given[0] ?? "plain";
}

async function print(stdout: Output, format: Format, name: Uint8Array, node: Node): Promise<void> {
  switch (format) {
    case "null":
      return await stdout.bytes(Uint8Array.of(...name, 0));
    case "json":
      return await stdout.json({ ...jsonBytes("name", name), ...jsonNode(node) });
    case "plain":
      return await stdout.line(displayName(name));
    case "long":
      return await stdout.line(longLine(displayName(name), node));
  }
}

/** Sizes of files are bytes; a directory and a link have none to show. */
function longLine(name: string, node: Node): string {
  const size = node.type === "file" ? String(node.size) : "-";
  const arrow = node.type === "symlink" ? ` -> ${displayName(node.target.toBytes())}` : "";
  return `${modeText(node)} ${size.padStart(14)} ${name}${arrow}`;
}

const SLASH = 0x2f;

function join(names: readonly PathComponent[]): Uint8Array {
  const length = names.reduce((sum, name) => sum + name.byteLength + 1, -1);
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const name of names) {
    if (offset > 0) joined[offset++] = SLASH;
    name.writeTo(joined, offset);
    offset += name.byteLength;
  }
  return joined;
}
