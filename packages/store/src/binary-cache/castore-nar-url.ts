/**
 * The URL of a NAR that is rendered from castore, as tvix and snix have it:
 *
 *     nar/tvix-castore/<node>?narsize=<size>
 *
 * `node` is the encoding of the anonymous root node in base64url without padding. Both prefixes are served;
 * ours has the name of tvix.
 */
import {
  decodeAnonymousNode,
  encodeNode,
  InvalidNodeError,
  type Node,
  toBase64,
} from "@tvix/castore";

/** Longest text of a node that is looked at. */
const MAX_NODE_TEXT = 5900;

/** Path and query below the URL of the cache. */
export function castoreNarUrl(root: Node, narSize: bigint): string {
  return `nar/tvix-castore/${encodeNodeText(root)}?narsize=${narSize}`;
}

/** A root node and the size that a URL states. */
export interface CastoreNarUrl {
  readonly root: Node;
  readonly narSize: bigint;
}

/** Reads what {@link castoreNarUrl} writes, with either prefix; `undefined` for anything else. */
export function parseCastoreNarUrl(url: string): CastoreNarUrl | undefined {
  const [, text = "", size = ""] =
    /^nar\/(?:tvix|snix)-castore\/([A-Za-z0-9_-]+)\?narsize=(\d{1,19})$/.exec(url) ?? [];
  const root = decodeNodeText(text);
  return root && { root, narSize: BigInt(size) };
}

function encodeNodeText(root: Node): string {
  return toBase64(encodeNode(root)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** `undefined` for any text that {@link encodeNodeText} would not write. */
export function decodeNodeText(text: string): Node | undefined {
  if (text === "" || text.length > MAX_NODE_TEXT || !/^[A-Za-z0-9_-]+$/.test(text))
    return undefined;
  if (text.length % 4 === 1) return undefined;
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  try {
    const root = decodeAnonymousNode(Uint8Array.from(binary, (byte) => byte.charCodeAt(0)));
    return encodeNodeText(root) === text ? root : undefined;
  } catch (error) {
    if (!(error instanceof InvalidNodeError)) throw error;
    return undefined;
  }
}
