import { CastoreError } from "@tvix/castore";
import type { Host, Invocation } from "../command.js";
import { CliError, EXIT } from "../exit.js";
import { kindOf } from "../format/nodes.js";
import { withStore } from "../store/open.js";
import { resolve } from "./resolve.js";
import { parseTarget } from "./target.js";

/** Does what `tvix cat` promises. */
export async function printFile(invocation: Invocation, host: Host): Promise<number> {
  const [text = "", inner] = invocation.arguments;
  const target = parseTarget(text, inner);
  const { signal, stdout } = host;
  await withStore(invocation, host, async (store) => {
    const { node, label } = await resolve(store, target, { signal });
    if (node.type !== "file") {
      const what = node.type === "symlink" ? `${kindOf(node)} to "${node.target}"` : kindOf(node);
      throw new CliError(EXIT.failed, `cannot print ${label}: it is ${what}, not a file`);
    }
    const reader = await store.blobs.openRead(node.digest, {
      signal,
      expectedSize: Number(node.size),
    });
    if (reader === undefined) {
      throw new CastoreError(
        "MISSING_REFERENCE",
        `Cannot print ${label}: its content ${node.digest} is not in the store`,
      );
    }
    for await (const bytes of reader.stream({}, { signal })) await stdout.bytes(bytes);
  });
  return EXIT.ok;
}
