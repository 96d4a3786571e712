/** The hash algorithms that Nix knows for content addresses. */
export type HashAlgorithm = "md5" | "sha1" | "sha256" | "sha512";

/** Digest lengths in bytes. */
export const HASH_LENGTHS: Readonly<Record<HashAlgorithm, number>> = {
  md5: 16,
  sha1: 20,
  sha256: 32,
  sha512: 64,
};

/** Whether `text` names an algorithm that Nix knows. */
export function isHashAlgorithm(text: string): text is HashAlgorithm {
  return Object.hasOwn(HASH_LENGTHS, text);
}
