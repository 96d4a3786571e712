import { toBase64 } from "@tvix/castore";

/** A SHA-256 as Nix prints NAR hashes: `sha256-` and base64. */
export function narHashText(narSha256: Uint8Array): string {
  return `sha256-${toBase64(narSha256)}`;
}
