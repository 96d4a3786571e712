import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The comment that rolldown writes before each module that it puts into a file: its path. */
const REGION = /^\/\/(?:#region)? (\S+\.[cm]?js)$/;

/**
 * Name of the module that a line of a file comes from: the file itself, or, in a bundle, the module
 * before it was bundled.
 *
 * @param line - counted from 0
 */
export type ModuleNames = (url: string, line: number) => string;

/** Names modules; remembers the files it has read. */
export function createModuleNames(
  read: (url: string) => string = (url) => readFileSync(fileURLToPath(url), "utf8"),
): ModuleNames {
  const files = new Map<string, readonly (readonly [number, string])[]>();
  return (url, line) => {
    if (!url.startsWith("file:")) return baseName(url);
    let regions = files.get(url);
    if (regions === undefined) {
      regions = findRegions(read(url));
      files.set(url, regions);
    }
    const region = regions.findLast(([start]) => start <= line);
    return baseName(region?.[1] ?? url);
  };
}

function findRegions(source: string): [number, string][] {
  return source.split("\n").flatMap((text, line): [number, string][] => {
    const path = REGION.exec(text)?.[1];
    return path === undefined ? [] : [[line, path]];
  });
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
