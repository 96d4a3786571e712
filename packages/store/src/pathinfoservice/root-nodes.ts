import {
  type CallOptions,
  type DirectoryEntry,
  type Node,
  PathComponent,
  type RootNodes,
} from "@tvix/castore";
import type { PathInfo } from "../path-info.js";
import { InvalidStorePathError, StorePath } from "../store-path/store-path.js";
import type { PathInfoService } from "./path-info-service.js";

/** What is asked of path infos to show store paths. */
type KnownPathInfos = Pick<PathInfoService, "get" | "list">;

/**
 * The path info of exactly that store path. Services know a path by its digest; another path with the same one
 * is another path.
 *
 * @returns `undefined` when it is not known
 */
export async function getStorePath(
  pathInfos: Pick<PathInfoService, "get">,
  storePath: StorePath,
  options: CallOptions = {},
): Promise<PathInfo | undefined> {
  const pathInfo = await pathInfos.get(storePath.digestBytes(), options);
  return pathInfo?.storePath.equals(storePath) === true ? pathInfo : undefined;
}

/** The store paths that a service knows, by their base names. */
export class PathInfoRootNodes implements RootNodes {
  readonly #pathInfos: KnownPathInfos;

  constructor(pathInfos: KnownPathInfos) {
    this.#pathInfos = pathInfos;
  }

  async get(name: PathComponent, options: CallOptions = {}): Promise<Node | undefined> {
    options.signal?.throwIfAborted();
    const storePath = parseBaseName(name);
    return storePath && (await getStorePath(this.#pathInfos, storePath, options))?.node;
  }

  async *list(options: CallOptions = {}): AsyncGenerator<DirectoryEntry, void, undefined> {
    for await (const { storePath, node } of this.#pathInfos.list(options)) {
      yield { name: PathComponent.parse(storePath.baseName), node };
    }
  }
}

/** `undefined` for a name that no store path has. */
function parseBaseName(name: PathComponent): StorePath | undefined {
  try {
    return StorePath.parse(name.toBytes());
  } catch (error) {
    if (error instanceof InvalidStorePathError) return undefined;
    throw error;
  }
}
