/**
 * A word of the command line in quotes, for a message: what could drive a terminal is escaped, as
 * JSON does it.
 */
export function quote(word: string): string {
  // JSON leaves these as they are: DEL, the C1 controls and the marks that turn text around.
  return JSON.stringify(word).replace(
    /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
