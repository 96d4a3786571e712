/**
 * Replaces what stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->` in a document. All
 * else stays as it is.
 *
 * @throws Error unless each of the two markers is there once, in this order
 */
export function replaceBlock(document: string, name: string, content: string): string {
  const begin = `<!-- bench:${name} -->`;
  const end = `<!-- /bench:${name} -->`;
  const [before, afterBegin, ...moreBegins] = document.split(begin);
  if (before === undefined || afterBegin === undefined || moreBegins.length > 0) {
    throw new Error(`Cannot refresh the document: it does not have one ${begin}`);
  }
  const [, after, ...moreEnds] = afterBegin.split(end);
  if (after === undefined || moreEnds.length > 0 || before.includes(end)) {
    throw new Error(`Cannot refresh the document: it does not have one ${end} behind ${begin}`);
  }
  return `${before}${begin}\n\n${content.trim()}\n\n${end}${after}`;
}
