import { LocalStore, type LockHolder } from "@tvix/castore/local";
import { errorText, type LogFields, type Logger, printable } from "../log/logger.js";

/** Another process has the store. */
export class StoreInUseError extends Error {
  override readonly name: string = "StoreInUseError";
}

/**
 * Opens the store of a data directory and takes the right to write to it, which nobody else has then
 * until it is closed.
 *
 * @param purpose - what is told to others who want to write
 * @throws {@link StoreInUseError} when another process has that right, and says which
 */
export async function openStore(
  directory: string,
  purpose: string,
  logger: Logger,
): Promise<LocalStore> {
  const refusal = new AbortController();
  const local = await LocalStore.open(directory, {
    purpose,
    onWait: (holder) => refusal.abort(new StoreInUseError(refusalText(directory, holder))),
  });
  try {
    await local.holdForWriting({ signal: refusal.signal });
  } catch (error) {
    await local.close().catch((closing: unknown) => {
      logger.debug("closing a store that could not be opened failed", {
        error: errorText(closing),
      });
    });
    throw error;
  }
  logRecovery(local, logger);
  return local;
}

function refusalText(directory: string, holder: LockHolder | undefined): string {
  const who =
    holder === undefined
      ? "another process"
      : `process ${holder.pid} (${printable(holder.purpose)})`;
  return `Cannot serve the store in ${directory}: ${who} is writing to it`;
}

/** Tells what a crash had left behind. */
function logRecovery({ recovery }: LocalStore, logger: Logger): void {
  if (recovery?.indexRebuilt === true) logger.warn("the index of the store was rebuilt");
  for (const { type, pack, offset, bytes, records } of recovery?.events ?? []) {
    const fields: LogFields = { type, pack, offset, bytes, records };
    const isDamage = type === "damaged" || type === "pack-short";
    if (isDamage) logger.error("the store is damaged, see tvix check", fields);
    else logger.info("the store was put in order", fields);
  }
}
