/** Options of tvix and snix under the names that they have here. */
const OWN_NAMES: ReadonlyMap<string, string> = new Map([
  ["--experimental-store-composition", "--composition"],
]);

/** The words of a command line, with our names for the options of others. */
export function withOwnNames(words: readonly string[]): readonly string[] {
  const end = words.indexOf("--");
  return words.map((word, index) => {
    if (end >= 0 && index > end) return word;
    const [, name = "", value = ""] = /^(--[a-z-]+)(=.*)?$/s.exec(word) ?? [];
    const own = OWN_NAMES.get(name);
    return own === undefined ? word : `${own}${value}`;
  });
}
