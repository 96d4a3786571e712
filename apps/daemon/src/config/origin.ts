/**
 * Whether this is the origin of a web page as browsers send it: scheme, host and the port where it is not the
 * usual one, in lower case, with nothing behind it.
 */
export function isOrigin(text: string): boolean {
  return /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}
