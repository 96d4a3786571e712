/** How a NAR can be compressed, by the names that Nix has in a narinfo. */
export type Compression = "none" | "gzip" | "br" | "zstd" | "xz" | "bzip2";

/**
 * Suffixes that Nix puts behind `.nar`. gzip has none, so a file without a suffix may be anything: see
 * {@link sniffCompression}. lzip and lz4, which Nix can write too, are not read.
 */
const SUFFIXES: ReadonlyMap<string, Compression> = new Map([
  ["", "none"],
  [".gz", "gzip"],
  [".br", "br"],
  [".zst", "zstd"],
  [".xz", "xz"],
  [".bz2", "bzip2"],
]);

/** What a suffix stands for; `undefined` for others. */
export function compressionOfSuffix(suffix: string): Compression | undefined {
  return SUFFIXES.get(suffix);
}

/** The suffix of files that are compressed so, with its dot; ours have one for gzip, too. */
export function suffixOfCompression(compression: Compression): string {
  for (const [suffix, known] of SUFFIXES) if (known === compression) return suffix;
  throw new TypeError(`There is no suffix for ${compression}`);
}

/** First bytes; Brotli has none. */
const MAGICS: readonly (readonly [compression: Compression, magic: readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bzip2", [0x42, 0x5a, 0x68]],
];

/** As many bytes as {@link sniffCompression} looks at. */
export const SNIFF_BYTES = 6;

/** The compression that starts like this; `undefined` for anything else, such as a NAR. */
export function sniffCompression(start: Uint8Array): Compression | undefined {
  return MAGICS.find(([, magic]) => magic.every((byte, i) => start[i] === byte))?.[0];
}
