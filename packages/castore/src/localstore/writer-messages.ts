import type { WriteJob, WriteOutcome } from "./pack-writer.js";
import type { WireError } from "./worker-error.js";
import type { RecoveryReport } from "./write-session.js";
import type { LockHolder } from "./writer-lock.js";

/** What the writer's thread is started with. */
export interface WriterThreadData {
  readonly directory: string;
  readonly purpose: string;
  /** Whether to wait for another process that writes; without, its presence is an answer too. */
  readonly wait: boolean;
  readonly packLimit: number | undefined;
}

export type ToWriter =
  | { readonly type: "write"; readonly id: number; readonly job: WriteJob }
  | { readonly type: "close" };

export type FromWriter =
  | { readonly type: "waiting"; readonly holder: LockHolder | undefined }
  | { readonly type: "open"; readonly recovery: RecoveryReport }
  | { readonly type: "busy" }
  | { readonly type: "open-failed"; readonly error: WireError }
  | {
      readonly type: "written";
      readonly ids: readonly number[];
      readonly outcomes: readonly WriteOutcome[];
    }
  | { readonly type: "write-failed"; readonly ids: readonly number[]; readonly error: WireError }
  | { readonly type: "closed" };
