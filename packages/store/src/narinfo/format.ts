import { formatContentAddress } from "../content-address.js";
import { NixHash } from "../nix-hash.js";
import { sortedStorePaths } from "../store-path/sorted.js";
import { narUrlProblem } from "./nar-url.js";
import { InvalidNarinfoError, type InvalidNarinfoReason, type Narinfo } from "./narinfo.js";
import { isCompressionName, isSystemName } from "./parse.js";

/**
 * Writes a narinfo as Nix does: this order of keys, references and signatures sorted, hashes in
 * nixbase32, a line break after each line.
 *
 * Compression, FileHash and FileSize are always there: Nix takes a missing Compression for bzip2, and
 * some of its commands fail without the other two. For a NAR that is not compressed they follow from
 * the NAR where they are not given.
 *
 * @throws {@link InvalidNarinfoError} when a field could not be read back, or when the hash and size of
 *   a compressed file are not known
 * @throws {@link InvalidKeyError} when a signature has a name that no key may have
 */
export function formatNarinfo(narinfo: Narinfo): string {
  checkTexts(narinfo);
  const { storePath, url, compression, narSha256, narSize, deriver, system } = narinfo;
  const narHash = NixHash.of("sha256", narSha256);
  const { fileHash, fileSize } = fileOf(narinfo, narHash);
  const signatures = [...new Set(narinfo.signatures.map((signature) => signature.format()))];
  const lines: (readonly [key: string, value: unknown])[] = [
    ["StorePath", storePath],
    ["URL", url],
    ["Compression", compression],
    ["FileHash", fileHash],
    ["FileSize", fileSize],
    ["NarHash", narHash],
    ["NarSize", narSize],
    [
      "References",
      sortedStorePaths(narinfo.references)
        .map(({ baseName }) => baseName)
        .join(" "),
    ],
  ];
  if (deriver !== undefined) lines.push(["Deriver", deriver.baseName]);
  if (system !== undefined) lines.push(["System", system]);
  for (const signature of signatures.sort()) lines.push(["Sig", signature]);
  if (narinfo.contentAddress !== undefined) {
    lines.push(["CA", formatContentAddress(narinfo.contentAddress)]);
  }
  return lines.map(([key, value]) => `${key}: ${value}\n`).join("");
}

/** Checks what is text in a {@link Narinfo}, and would add lines if anything were allowed. */
function checkTexts({ url, compression, system, narSize }: Narinfo): void {
  const problem = narUrlProblem(url);
  if (problem !== undefined) throw refusal("url", "URL", problem);
  if (!isCompressionName(compression)) {
    throw refusal("compression", "Compression", "it is not the name of a compression");
  }
  if (system !== undefined && !isSystemName(system)) {
    throw refusal("system", "System", "it is empty or has other characters than those of ASCII");
  }
  if (narSize <= 0n) throw refusal("nar-size", "NarSize", "no NAR is empty");
}

function fileOf(
  { compression, fileHash, fileSize, narSize }: Narinfo,
  narHash: NixHash,
): { readonly fileHash: NixHash; readonly fileSize: bigint } {
  const plain = compression === "none";
  const hash = fileHash ?? (plain ? narHash : undefined);
  const size = fileSize ?? (plain ? narSize : undefined);
  if (hash === undefined) throw refusal("file-hash", "FileHash", "it is not known");
  if (size === undefined) throw refusal("file-size", "FileSize", "it is not known");
  return { fileHash: hash, fileSize: size };
}

function refusal(reason: InvalidNarinfoReason, key: string, why: string): InvalidNarinfoError {
  return new InvalidNarinfoError(reason, `cannot write ${key}: ${why}`, { key });
}
