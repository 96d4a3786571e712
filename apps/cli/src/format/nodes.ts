import type { Node } from "@tvix/castore";
import { jsonBytes } from "./names.js";

/** What `--json` says about a node, without its name. */
export function jsonNode(node: Node): Record<string, unknown> {
  switch (node.type) {
    case "directory":
      return { type: "directory", digest: node.digest.toString(), size: node.size };
    case "file":
      return {
        type: "file",
        digest: node.digest.toString(),
        size: node.size,
        executable: node.executable,
      };
    case "symlink":
      return { type: "symlink", ...jsonBytes("target", node.target.toBytes()) };
  }
}

/** Type and permissions as `ls -l` writes them; those of everything in a Nix store. */
export function modeText(node: Node): string {
  switch (node.type) {
    case "directory":
      return "dr-xr-xr-x";
    case "file":
      return node.executable ? "-r-xr-xr-x" : "-r--r--r--";
    case "symlink":
      return "lrwxrwxrwx";
  }
}

/** "a directory", "a file", "a symbolic link": for messages. */
export function kindOf(node: Node): string {
  return { directory: "a directory", file: "a file", symlink: "a symbolic link" }[node.type];
}
