import { toLatin1 } from "../bytes.js";
import { CastoreError } from "../errors.js";
import type { RecordKind } from "./pack-format.js";
import type { ValueChange } from "./record-store.js";
import type { StoreCore } from "./store-core.js";

/** A record that is changed. */
export interface RecordUpdate {
  readonly key: Uint8Array;
  /** Makes a payload of the one that is there. */
  readonly change: ValueChange;
  readonly signal: AbortSignal | undefined;
}

/** Puts what `change` makes of a record in its place; no other update of it comes in between. */
export async function updateRecord(
  core: StoreCore,
  kind: RecordKind,
  { key, change, signal }: RecordUpdate,
): Promise<void> {
  const update = async (): Promise<void> => {
    // From here on no other process writes; what one has written until now is to be seen.
    await core.ready(signal);
    core.index()?.refresh();
    const value = change(await unlessCorrupt(() => core.read(kind, key)));
    if (value !== undefined) await core.storeKeyed(kind, key, value, signal);
  };
  await core.updates.run(`${kind}:${toLatin1(key)}`, update, signal);
}

async function unlessCorrupt<T>(read: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (CastoreError.is(error, "CORRUPT")) return undefined;
    throw error;
  }
}
