/** The longest address that is shown. */
const MAX_SHOWN = 200;

/**
 * An address for messages: quoted, with user names and passwords left out, also those of addresses inside
 * that are percent-encoded.
 */
export function showAddress(text: string): string {
  const clean = text
    .replaceAll(/(\/\/)[^/?#&]*@/g, "$1***@")
    .replaceAll(/(%2f%2f)[^&]*?(@|%40)/gi, "$1***$2");
  return JSON.stringify(clean.length <= MAX_SHOWN ? clean : `${clean.slice(0, MAX_SHOWN)}...`);
}
