import { CastoreError, PathComponent, SymlinkTarget } from "@tvix/castore";
import { JsonScanner } from "./json-scanner.js";
import { NAR_NESTING_LIMIT } from "./nar-limits.js";
import { MAX_NAR_LISTING_LENGTH } from "./nar-listing.js";
import { NarListingError } from "./nar-listing-error.js";

/** A file in a listing. */
export interface ListedFile {
  readonly type: "regular";
  readonly size: number;
  readonly executable: boolean;
  /** Where its content begins in the NAR, in bytes, if the listing says so. */
  readonly narOffset: number | undefined;
}

/** A symbolic link in a listing. */
export interface ListedSymlink {
  readonly type: "symlink";
  readonly target: string;
}

/** A directory in a listing. */
export interface ListedDirectory {
  readonly type: "directory";
  /** By name, in the order of the listing. */
  readonly entries: ReadonlyMap<string, ListedNode>;
}

/** What a listing says of a node. */
export type ListedNode = ListedFile | ListedSymlink | ListedDirectory;

export interface NarListingLimits {
  /** Longest listing in bytes; 64 MiB by default. */
  readonly maxLength?: number;
  /** Entries of all directories together; 1,000,000 by default. */
  readonly maxEntries?: number;
  /** Nodes from the root to any node; `NAR_NESTING_LIMIT` by default. */
  readonly maxDepth?: number;
}

const DEFAULT_MAX_ENTRIES = 1_000_000;

type Fields = {
  type?: string;
  size?: number;
  executable?: boolean;
  narOffset?: number;
  target?: string;
  entries?: ReadonlyMap<string, ListedNode>;
};

/** A node that has begun, and, once they have, its entries. */
interface OpenNode {
  readonly name: string;
  readonly fields: Fields;
  isFirst: boolean;
  entries: Map<string, ListedNode> | undefined;
}

/**
 * Reads a listing, whatever the order of its members and the space between them. Every member must be
 * known and come once; names and targets are held to the rules of a NAR.
 *
 * @returns the root
 * @throws {@link NarListingError}
 */
export function parseNarListing(bytes: Uint8Array, limits: NarListingLimits = {}): ListedNode {
  const { maxLength = MAX_NAR_LISTING_LENGTH } = limits;
  if (bytes.byteLength > maxLength) {
    const what = `${bytes.byteLength} bytes, more than ${maxLength}`;
    throw new NarListingError("too-large", `Cannot read NAR listing: ${what}`);
  }
  return new ListingParser(new JsonScanner(decode(bytes)), limits).parse();
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new NarListingError("not-utf8", "Cannot read NAR listing: it is not UTF-8", { cause });
  }
}

/** Holds the nodes that are open in a stack of its own. */
class ListingParser {
  readonly #scanner: JsonScanner;
  readonly #maxEntries: number;
  readonly #maxDepth: number;
  readonly #open: OpenNode[] = [];
  #entries = 0;
  #root: ListedNode | undefined;

  constructor(scanner: JsonScanner, limits: NarListingLimits) {
    this.#scanner = scanner;
    this.#maxEntries = limits.maxEntries ?? DEFAULT_MAX_ENTRIES;
    this.#maxDepth = limits.maxDepth ?? NAR_NESTING_LIMIT;
  }

  parse(): ListedNode {
    const scanner = this.#scanner;
    let version: number | undefined;
    scanner.expect("{");
    for (let isFirst = true; scanner.nextMember(isFirst); isFirst = false) {
      const member = scanner.memberName();
      if (member === "version" && version === undefined) version = scanner.integer();
      else if (member === "root" && this.#root === undefined) this.#parseRoot();
      else throw this.#badMember(member, member === "version" || member === "root");
    }
    scanner.end();
    if (version === undefined) throw scanner.error("missing-field", 'there is no "version"');
    if (version !== 1) throw scanner.error("version", `version ${version} instead of 1`);
    if (this.#root === undefined) throw scanner.error("missing-field", 'there is no "root"');
    return this.#root;
  }

  #parseRoot(): void {
    this.#begin("");
    for (let node = this.#open.at(-1); node !== undefined; node = this.#open.at(-1)) {
      if (node.entries === undefined) this.#parseMember(node);
      else this.#parseEntry(node, node.entries);
    }
  }

  #begin(name: string): void {
    this.#scanner.expect("{");
    if (this.#open.length >= this.#maxDepth) {
      throw this.#scanner.error("depth", `it is nested deeper than ${this.#maxDepth} levels`);
    }
    this.#open.push({ name, fields: {}, isFirst: true, entries: undefined });
  }

  #parseMember(node: OpenNode): void {
    const { fields } = node;
    const scanner = this.#scanner;
    if (!scanner.nextMember(node.isFirst)) {
      this.#open.pop();
      this.#place(node.name, this.#finish(fields));
      return;
    }
    node.isFirst = false;
    const member = scanner.memberName();
    if (Object.hasOwn(fields, member)) throw this.#badMember(member, true);
    if (member === "entries") {
      scanner.expect("{");
      node.entries = new Map();
    } else if (member === "type" || member === "target") fields[member] = scanner.string();
    else if (member === "size" || member === "narOffset") fields[member] = scanner.integer();
    else if (member === "executable") fields.executable = scanner.boolean();
    else throw this.#badMember(member, false);
  }

  #parseEntry(node: OpenNode, entries: Map<string, ListedNode>): void {
    const scanner = this.#scanner;
    if (!scanner.nextMember(entries.size === 0)) {
      node.fields.entries = entries;
      node.entries = undefined;
      return;
    }
    const name = scanner.memberName();
    this.#check("name", () => PathComponent.parse(name));
    if (entries.has(name)) throw this.#badMember(name, true);
    if (++this.#entries > this.#maxEntries) {
      throw scanner.error("too-large", `more than ${this.#maxEntries} entries`);
    }
    this.#begin(name);
  }

  #place(name: string, node: ListedNode): void {
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#root = node;
    else parent.entries?.set(name, node);
  }

  #finish(fields: Fields): ListedNode {
    const { type, size, executable = false, narOffset, target, entries } = fields;
    const known = Object.keys(fields).length;
    if (type === "regular" && size !== undefined) {
      const optional = Number("executable" in fields) + Number("narOffset" in fields);
      if (known === 2 + optional) return { type, size, executable, narOffset };
    } else if (type === "symlink" && target !== undefined) {
      this.#check("target", () => SymlinkTarget.parse(target));
      if (known === 2) return { type, target };
    } else if (type === "directory" && entries !== undefined) {
      if (known === 2) return { type, entries };
    } else {
      throw this.#scanner.error("missing-field", `members are missing of ${describe(type)}`);
    }
    throw this.#scanner.error("unknown-field", `there are too many members of ${describe(type)}`);
  }

  #check(reason: "name" | "target", parse: () => unknown): void {
    try {
      parse();
    } catch (cause) {
      if (!CastoreError.is(cause)) throw cause;
      const { message } = cause;
      const detail = `${message.charAt(0).toLowerCase()}${message.slice(1)}`;
      throw this.#scanner.error(reason, detail, { cause });
    }
  }

  #badMember(member: string, isKnown: boolean): NarListingError {
    return isKnown
      ? this.#scanner.error("duplicate", `${JSON.stringify(member)} comes twice`)
      : this.#scanner.error("unknown-field", `unknown member ${JSON.stringify(member)}`);
  }
}

function describe(type: string | undefined): string {
  return type === undefined ? "a node without type" : `a node of type ${JSON.stringify(type)}`;
}
