import type { LocalStoreOptions } from "@tvix/castore/local";
import type { StoreFileSystemOptions } from "@tvix/mount";
import type { Options } from "../args/options.js";
import { quote } from "../args/quote.js";
import { UsageError } from "../exit.js";

/** Largest user or group; the one after it stands for none. */
const MAX_ID = 0xff_ff_ff_fe;

/** Most threads that may be asked for. */
const MAX_THREADS = 256;

/** What the options of {@link SERVED_FILES} and {@link LIST_ROOT} ask for. */
export interface ServedFiles {
  /** How a data directory is opened. */
  readonly store: LocalStoreOptions;
  /** What is shown of a store. */
  readonly files: StoreFileSystemOptions;
}

/**
 * What a command line says about the files that it serves.
 *
 * @throws {@link UsageError} for a value that is none
 */
export function readServedFiles(options: Options): ServedFiles {
  const threads = readThreads(options);
  const owner = readOwner(options);
  return {
    store: {
      readOnly: true,
      recover: true,
      ...(threads === undefined ? {} : { decoderThreads: threads }),
    },
    files: {
      listRoot: options.has("list-root"),
      xattrs: !options.has("no-xattr"),
      ...(owner === undefined ? {} : { owner }),
    },
  };
}

/**
 * The value of `--uid-gid`.
 *
 * @returns `undefined` when it is not given
 * @throws {@link UsageError} for one that is not two numbers
 */
function readOwner(options: Options): { uid: number; gid: number } | undefined {
  const text = options.value("uid-gid");
  if (text === undefined) return undefined;
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(text) ?? [];
  const owner = { uid: Number(uid), gid: Number(gid) };
  if (owner.uid <= MAX_ID && owner.gid <= MAX_ID) return owner;
  throw new UsageError(
    `option --uid-gid needs two numbers such as 1000:100, but it is ${quote(text)}`,
  );
}

/**
 * The value of `--threads`.
 *
 * @returns `undefined` when it is not given
 * @throws {@link UsageError} for one that is not a number from 1 to 256
 */
function readThreads(options: Options): number | undefined {
  const text = options.value("threads");
  if (text === undefined) return undefined;
  const threads = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (threads >= 1 && threads <= MAX_THREADS) return threads;
  throw new UsageError(
    `option --threads needs a number from 1 to ${MAX_THREADS}, but it is ${quote(text)}`,
  );
}
