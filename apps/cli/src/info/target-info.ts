import { type Path, toBase64 } from "@tvix/castore";
import { formatContentAddress, type PathInfo, rootKeyName, type Signature } from "@tvix/store";
import { displayName } from "../format/names.js";
import { narHashText } from "../format/nar-hash.js";
import { jsonNode } from "../format/nodes.js";
import { formatBytes, formatCount } from "../format/quantities.js";
import type { Resolved } from "../target/resolve.js";
import type { Row } from "./info.js";

/** What is known about a place in the store, as JSON. What belongs to a store path only at its root. */
export function targetJson({ node, pathInfo }: Resolved, path: Path): Record<string, unknown> {
  const content = { content: jsonNode(node) };
  if (pathInfo === undefined || path.components.length > 0) return content;
  const { storePath, contentAddress, deriver } = pathInfo;
  return {
    storePath: storePath.toString(),
    ...content,
    narHash: narHashText(pathInfo.narSha256),
    narSize: pathInfo.narSize,
    references: pathInfo.references.map(String),
    signatures: signaturesOf(pathInfo),
    rootSignatures: rootSignaturesOf(pathInfo),
    ...(deriver === undefined ? {} : { deriver: `${deriver}.drv` }),
    ...(contentAddress === undefined ? {} : { ca: formatContentAddress(contentAddress) }),
  };
}

/** The same for people. */
export function targetRows({ node, pathInfo, label }: Resolved, path: Path): readonly Row[] {
  const content = contentRows(node);
  if (pathInfo === undefined || path.components.length > 0) return [["object", label], ...content];
  const { contentAddress, deriver, references } = pathInfo;
  return [
    ["store path", label],
    ...content,
    ["NAR hash", narHashText(pathInfo.narSha256)],
    ["NAR size", sizeText(pathInfo.narSize)],
    ["references", references.length === 0 ? "none" : references.join(" ")],
    ...signaturesOf(pathInfo).map((signature): Row => ["signature", signature]),
    ...rootSignaturesOf(pathInfo).map((signature): Row => ["of the root", signature]),
    ...(deriver === undefined ? [] : [["deriver", `${deriver}.drv`] as const]),
    ...(contentAddress === undefined
      ? []
      : [["ca", formatContentAddress(contentAddress)] as const]),
  ];
}

function contentRows(node: Resolved["node"]): readonly Row[] {
  switch (node.type) {
    case "directory":
      return [
        ["type", "directory"],
        ["digest", node.digest.toString()],
        ["objects below", formatCount(node.size)],
      ];
    case "file":
      return [
        ["type", node.executable ? "executable file" : "file"],
        ["digest", node.digest.toString()],
        ["size", sizeText(node.size)],
      ];
    case "symlink":
      return [
        ["type", "symbolic link"],
        ["target", displayName(node.target.toBytes())],
      ];
  }
}

function sizeText(bytes: bigint): string {
  return bytes < 1000n ? `${bytes} bytes` : `${formatCount(bytes)} bytes (${formatBytes(bytes)})`;
}

function signaturesOf({ signatures }: PathInfo): readonly string[] {
  return signatures
    .filter((signature) => rootKeyName(signature) === undefined)
    .map((signature) => signatureText(signature.keyName, signature));
}

/** By the names of the keys, without the mark that tells them from the others. */
function rootSignaturesOf({ signatures }: PathInfo): readonly string[] {
  return signatures.flatMap((signature) => {
    const keyName = rootKeyName(signature);
    return keyName === undefined ? [] : [signatureText(keyName, signature)];
  });
}

function signatureText(keyName: string, signature: Signature): string {
  return `${keyName}:${toBase64(signature.toBytes())}`;
}
