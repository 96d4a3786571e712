/** Length of every piece of the formats of Nix is a multiple of this. */
const ALIGNMENT = 8;

/** Stands behind each NAR in what `nix-store --export` writes ("NIXE"). */
const EXPORT_MAGIC = 0x4558494e;

/** A store path with references, and nothing else to say of it. */
export interface ExportedFile {
  readonly storePath: string;
  readonly references: readonly string[];
  readonly content: string;
}

/**
 * One file as `nix-store --import` takes it: the way to a path with any references. Written by hand, since no
 * program makes such a path without a build.
 */
export function exportStream({ storePath, references, content }: ExportedFile): Uint8Array {
  const nar = ["nix-archive-1", "(", "type", "regular", "contents", content, ")"].map(text);
  return Buffer.concat([
    number(1),
    ...nar,
    number(EXPORT_MAGIC),
    text(storePath),
    number(references.length),
    ...references.map(text),
    // No deriver, no signature, no further path.
    text(""),
    number(0),
    number(0),
  ]);
}

function number(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string): Uint8Array {
  const bytes = Buffer.from(value);
  const padding = (ALIGNMENT - (bytes.byteLength % ALIGNMENT)) % ALIGNMENT;
  return Buffer.concat([number(bytes.byteLength), bytes, Buffer.alloc(padding)]);
}
