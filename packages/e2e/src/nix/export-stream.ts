/** A store path as `nix-store --export` writes it. */
export interface ExportedPath {
  readonly nar: Uint8Array;
  /** Absolute, like those that it refers to. */
  readonly path: string;
  readonly references: readonly string[];
  /** Empty when it is not known. */
  readonly deriver: string;
}

const MAGIC = 0x4558494e;

/** What `nix-store --import` reads. The paths need not follow from anything: Nix believes what it is told. */
export function exportStream(paths: readonly ExportedPath[]): Buffer {
  const parts = paths.flatMap(({ nar, path, references, deriver }) => [
    number(1),
    nar,
    number(MAGIC),
    text(path),
    number(references.length),
    ...[...references].sort().map(text),
    text(deriver),
    number(0),
  ]);
  return Buffer.concat([...parts, number(0)]);
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([number(bytes.length), bytes, Buffer.alloc(-bytes.length & 7)]);
}
