import type { Options } from "../args/options.js";
import { quote } from "../args/quote.js";
import { UsageError } from "../exit.js";

/** Largest user or group; the one after it stands for none. */
const MAX_ID = 0xff_ff_ff_fe;

/** Most threads that may be asked for. */
const MAX_THREADS = 256;

/**
 * The value of `--uid-gid`.
 *
 * @returns `undefined` when it is not given
 * @throws {@link UsageError} for one that is not two numbers
 */
export function readOwner(options: Options): { uid: number; gid: number } | undefined {
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
export function readThreads(options: Options): number | undefined {
  const text = options.value("threads");
  if (text === undefined) return undefined;
  const threads = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (threads >= 1 && threads <= MAX_THREADS) return threads;
  throw new UsageError(
    `option --threads needs a number from 1 to ${MAX_THREADS}, but it is ${quote(text)}`,
  );
}
