import { createHash } from "node:crypto";
import { encodeNixBase32 } from "@tvix/store";

/** A part of a NAR: its text, or its bytes as they are. */
export type NarToken = string | Uint8Array;

/** A string of a NAR: its length, its bytes, zeros up to a multiple of eight. */
export function narString(value: NarToken): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([narLength(bytes.length), bytes, Buffer.alloc(-bytes.length & 7)]);
}

export function narLength(length: number | bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(length));
  return bytes;
}

/** Strings one behind the other. */
export function narStrings(...tokens: readonly NarToken[]): Buffer {
  return Buffer.concat(tokens.map(narString));
}

/** The tokens of a NAR that is a directory with one file for each name, in that order. */
export function directoryTokens(...names: readonly NarToken[]): readonly NarToken[] {
  const file = ["(", "type", "regular", "contents", "x", ")"];
  const entries = names.flatMap((name) => ["entry", "(", "name", name, "node", ...file, ")"]);
  return ["nix-archive-1", "(", "type", "directory", ...entries, ")"];
}

export function fileNar(content: Uint8Array): Buffer {
  return narStrings("nix-archive-1", "(", "type", "regular", "contents", content, ")");
}

/** SHA-256 as it is in URLs of a binary cache. */
export function sha256Base32(bytes: Uint8Array): string {
  return encodeNixBase32(createHash("sha256").update(bytes).digest());
}
