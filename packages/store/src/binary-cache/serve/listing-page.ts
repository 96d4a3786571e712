import {
  type Directory,
  type DirectoryEntry,
  escapeBytes,
  type PathComponent,
  toUtf8,
} from "@tvix/castore";
import { escapeHtml, PAGE_END, pageHead } from "./html.js";
import { percentEncode } from "./percent.js";

/** Entries that are sent together. */
const ROWS_AT_ONCE = 256;

/** What a listing shows. */
export interface Listing {
  /** Base name of the store path. */
  readonly storePath: string;
  /** The way from there, as it was asked for. */
  readonly names: readonly PathComponent[];
  readonly directory: Directory;
}

/** The page of a directory, in pieces. All of its links are relative, so it can be at any URL that ends in a slash. */
export async function* listingPage(listing: Listing): AsyncGenerator<Uint8Array, void, undefined> {
  const { names, directory, storePath } = listing;
  const place = [storePath, ...names.map(String)].join("/");
  const { entries } = directory;
  yield toUtf8(`${pageHead(`${place}/`)}<h1>${trail(listing)}</h1>
<table>
<thead><tr><th>Name</th><th>Size</th><th>Kind</th></tr></thead>
<tbody>
${names.length === 0 ? "" : row({ href: "../", name: "../", size: "", kind: "parent directory" })}`);
  for (let i = 0; i < entries.length; i += ROWS_AT_ONCE) {
    yield toUtf8(
      entries
        .slice(i, i + ROWS_AT_ONCE)
        .map(entryRow)
        .join(""),
    );
  }
  const count = `${entries.length} ${entries.length === 1 ? "entry" : "entries"}`;
  yield toUtf8(`</tbody>\n</table>\n<footer>${count}</footer>\n${PAGE_END}`);
}

/** The way from the store path to here, with a link to each directory on it. */
function trail({ storePath, names }: Listing): string {
  const steps = [storePath, ...names.map(String)].map((text, i) => {
    const up = names.length - i;
    const href = up === 0 ? "./" : "../".repeat(up);
    return `<a href="${href}"><bdi>${escapeHtml(text)}</bdi></a>/`;
  });
  return steps.join("");
}

function entryRow({ name, node }: DirectoryEntry): string {
  // The "./" keeps a name with a colon from being the scheme of a URL.
  const href = `./${percentEncode(name.toBytes())}`;
  switch (node.type) {
    case "directory":
      return row({ href: `${href}/`, name: `${name}/`, size: "", kind: "directory" });
    case "file": {
      const kind = node.executable ? "executable" : "file";
      return row({ href, name: String(name), size: sizeCell(node.size), kind });
    }
    case "symlink": {
      const kind = `link to ${escapeBytes(node.target.toBytes())}`;
      return row({ href, name: String(name), size: "", kind });
    }
  }
}

interface Row {
  /** Encoded already. */
  readonly href: string;
  readonly name: string;
  /** HTML. */
  readonly size: string;
  readonly kind: string;
}

function row({ href, name, size, kind }: Row): string {
  const link = `<a href="${href}"><bdi>${escapeHtml(name)}</bdi></a>`;
  return `<tr><td>${link}</td><td>${size}</td><td><bdi>${escapeHtml(kind)}</bdi></td></tr>\n`;
}

const UNITS = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"] as const;

function sizeCell(bytes: bigint): string {
  return `<span title="${bytes} bytes">${readableSize(bytes)}</span>`;
}

/** Three digits at least, exact below 1 KiB. */
function readableSize(bytes: bigint): string {
  if (bytes < 1024n) return `${bytes} B`;
  let size = Number(bytes) / 1024;
  let unit = 0;
  while (size >= 1023.95 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${size.toFixed(1)} ${UNITS[unit]}`;
}
