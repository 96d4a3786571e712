import type { CallOptions } from "../blobservice/blob-service.js";
import type { B3Digest } from "../digest.js";
import { CastoreError } from "../errors.js";
import type { Directory, DirectoryEntry } from "../nodes/directory.js";
import type { Node } from "../nodes/node.js";
import type { PathComponent } from "../path/component.js";
import type { DirectoryService } from "./directory-service.js";
import type { RootNodes } from "./root-nodes.js";

/** The entries of a Directory as root nodes. */
export class DirectoryRootNodes implements RootNodes {
  readonly #open: (options: CallOptions) => Directory | Promise<Directory>;

  private constructor(open: (options: CallOptions) => Directory | Promise<Directory>) {
    this.#open = open;
  }

  /** Those of a Directory that need not be stored anywhere. */
  static of(directory: Directory): DirectoryRootNodes {
    return new DirectoryRootNodes(() => directory);
  }

  /**
   * Those of a stored Directory. It is asked for when it is needed, and kept then; until it is there, every call fails
   * with {@link CastoreError} "MISSING_REFERENCE".
   */
  static stored(directories: Pick<DirectoryService, "get">, digest: B3Digest): DirectoryRootNodes {
    let known: Directory | undefined;
    return new DirectoryRootNodes(async (options) => {
      known ??= await directories.get(digest, options);
      if (known !== undefined) return known;
      throw new CastoreError("MISSING_REFERENCE", `Cannot read directory ${digest}: not stored`);
    });
  }

  async get(name: PathComponent, options: CallOptions = {}): Promise<Node | undefined> {
    options.signal?.throwIfAborted();
    return (await this.#open(options)).get(name);
  }

  async *list(options: CallOptions = {}): AsyncGenerator<DirectoryEntry, void, undefined> {
    options.signal?.throwIfAborted();
    for (const entry of (await this.#open(options)).entries) {
      options.signal?.throwIfAborted();
      yield entry;
    }
  }
}
