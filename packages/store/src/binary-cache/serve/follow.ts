import {
  type CallOptions,
  CastoreError,
  type Directory,
  getChild,
  InvalidNameError,
  type Node,
  PathComponent,
} from "@tvix/castore";
import { StoreError } from "../../errors.js";
import type { PathInfo } from "../../path-info.js";
import { getStorePath } from "../../pathinfoservice/root-nodes.js";
import { STORE_DIR, StorePath } from "../../store-path/store-path.js";
import type { CacheParts } from "../cache-parts.js";
import { CacheRefusal } from "../refusal.js";

/** Symbolic links that are followed for one request, as many as Linux follows. */
const MAX_LINKS = 40;

/** Names that are looked up for one request; links can make many of a short path. */
const MAX_STEPS = 4096;

/** Where a path leads when its links are followed. */
export interface Place {
  readonly pathInfo: PathInfo;
  /** The way from the store path without any link. */
  readonly names: readonly PathComponent[];
  readonly node: Exclude<Node, { readonly type: "symlink" }>;
}

interface Step {
  readonly name: PathComponent;
  readonly node: Node;
}

/**
 * Follows `names` from a store path, links as well, as a file system would in which there is nothing
 * but the store. A link may lead to another store path that is known here.
 *
 * @throws {@link CacheRefusal} with 404 when there is nothing, or a link leads out of the store
 */
export async function follow(
  parts: Pick<CacheParts, "directories" | "pathInfos">,
  start: PathInfo,
  names: readonly PathComponent[],
  options: CallOptions = {},
): Promise<Place> {
  const walk = new Walk(parts, start, options);
  return await walk.follow(names);
}

/** A way through the store, step by step. */
class Walk {
  readonly #parts: Pick<CacheParts, "directories" | "pathInfos">;
  readonly #options: CallOptions;
  /** `undefined` in the store directory itself. */
  #pathInfo: PathInfo | undefined;
  /** From the root of the store path. */
  readonly #steps: Step[] = [];
  /** What is still to come, the next one last. */
  readonly #pending: Uint8Array[] = [];
  #links = 0;
  #lookups = 0;

  constructor(
    parts: Pick<CacheParts, "directories" | "pathInfos">,
    start: PathInfo,
    options: CallOptions,
  ) {
    this.#parts = parts;
    this.#pathInfo = start;
    this.#options = options;
  }

  async follow(names: readonly PathComponent[]): Promise<Place> {
    this.#await(names.map((name) => name.toBytes()));
    for (;;) {
      const node = this.#node();
      if (node?.type === "symlink") {
        this.#enterLink(node.target.toBytes());
        continue;
      }
      const next = this.#pending.pop();
      if (next !== undefined) await this.#take(node, next);
      else if (this.#pathInfo === undefined || node === undefined) throw outOfStore();
      else return { pathInfo: this.#pathInfo, names: this.#steps.map(({ name }) => name), node };
    }
  }

  #await(names: readonly Uint8Array[]): void {
    for (const name of [...names].reverse()) this.#pending.push(name);
  }

  /** What is here; `undefined` in the store directory. */
  #node(): Node | undefined {
    return this.#steps.at(-1)?.node ?? this.#pathInfo?.node;
  }

  /** Goes to where a link is relative to, and puts its target before what is to come. */
  #enterLink(target: Uint8Array): void {
    if (++this.#links > MAX_LINKS)
      throw new CacheRefusal(404, "there are too many links on the way");
    this.#leave();
    if (target[0] !== SLASH) {
      this.#await(split(target));
      return;
    }
    const [directory, store, ...rest] = split(target).filter((part) => part.byteLength > 0);
    if (textOf(directory) !== NIX || textOf(store) !== STORE) throw outOfStore();
    this.#pathInfo = undefined;
    this.#steps.length = 0;
    this.#await(rest);
  }

  /** To the directory that this is in. */
  #leave(): void {
    if (this.#steps.pop() !== undefined) return;
    if (this.#pathInfo === undefined) throw outOfStore();
    this.#pathInfo = undefined;
  }

  async #take(
    node: Exclude<Node, { type: "symlink" }> | undefined,
    name: Uint8Array,
  ): Promise<void> {
    if (++this.#lookups > MAX_STEPS)
      throw new CacheRefusal(404, "the way through links is too long");
    if (node?.type === "file") throw new CacheRefusal(404, "a file on the way is no directory");
    const text = textOf(name);
    if (text === "" || text === ".") return;
    if (text === "..") this.#leave();
    else if (node === undefined) await this.#enterStorePath(name);
    else this.#steps.push(await this.#child(await this.#open(node), name));
  }

  async #enterStorePath(name: Uint8Array): Promise<void> {
    const storePath = parseStorePath(name);
    const known =
      storePath && (await getStorePath(this.#parts.pathInfos, storePath, this.#options));
    if (known === undefined) {
      throw new CacheRefusal(404, "a link leads to a store path that is not here");
    }
    this.#pathInfo = known;
  }

  async #open(node: Extract<Node, { type: "directory" }>): Promise<Directory> {
    return await openDirectory(this.#parts, node, this.#options);
  }

  async #child(directory: Directory, bytes: Uint8Array): Promise<Step> {
    const name = parseName(bytes);
    const node = name && directory.get(name);
    if (name === undefined || node === undefined)
      throw new CacheRefusal(404, "there is no such file");
    return { name, node };
  }
}

/** @throws {@link CacheRefusal} with 404 when it is not stored */
export async function openDirectory(
  { directories }: Pick<CacheParts, "directories">,
  node: Extract<Node, { type: "directory" }>,
  options: CallOptions,
): Promise<Directory> {
  try {
    return await getChild(directories, node, options);
  } catch (cause) {
    if (!CastoreError.is(cause, "MISSING_REFERENCE")) throw cause;
    throw new CacheRefusal(404, "a directory on the way is not stored", {}, { cause });
  }
}

const SLASH = 0x2f;
const [, NIX, STORE] = STORE_DIR.split("/");

function outOfStore(): CacheRefusal {
  return new CacheRefusal(404, "a link leads out of the store");
}

/** The parts between slashes, empty ones included. */
function split(path: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let start = 0; start <= path.byteLength; ) {
    const slash = path.indexOf(SLASH, start);
    const end = slash === -1 ? path.byteLength : slash;
    parts.push(path.subarray(start, end));
    start = end + 1;
  }
  return parts;
}

/** For names that are compared with short ones of ASCII. */
function textOf(name: Uint8Array | undefined): string | undefined {
  return name && name.byteLength <= 8 ? String.fromCharCode(...name) : undefined;
}

function parseName(bytes: Uint8Array): PathComponent | undefined {
  try {
    return PathComponent.fromBytes(bytes);
  } catch (error) {
    if (error instanceof InvalidNameError) return undefined;
    throw error;
  }
}

function parseStorePath(name: Uint8Array): StorePath | undefined {
  try {
    return StorePath.parse(name);
  } catch (error) {
    if (StoreError.is(error, "INVALID_ARGUMENT")) return undefined;
    throw error;
  }
}
