import type { AttributesReply, Caller, Result } from "../file-system.js";
import { Held } from "./held.js";
import { FILE_ATTRIBUTES, TinyFileSystem } from "./tiny-file-system.js";

/** A getattr that is not answered yet. */
export interface HeldGetattr {
  readonly nodeId: number;
  readonly signal: AbortSignal;
  answer(): void;
  fail(error: unknown): void;
}

/**
 * Answers getattr when the test says so, or with a rejection when it is aborted, unless it is stubborn; at once where
 * the answer is at hand.
 */
export class SlowFileSystem extends TinyFileSystem {
  /** All that were asked, in order. */
  readonly asked: HeldGetattr[] = [];
  /** Passes over that nobody waits any more. */
  isStubborn = false;
  /** Node ids whose attributes are at hand. */
  readonly atHand: Set<number> = new Set();

  override getattr = (nodeId: number, caller: Caller): Result<AttributesReply> => {
    const reply = { attributes: FILE_ATTRIBUTES, validSeconds: 1 };
    if (this.atHand.has(nodeId)) return reply;
    const held = new Held<AttributesReply>();
    const { signal } = caller;
    if (!this.isStubborn) {
      signal.addEventListener("abort", () => held.reject(signal.reason), { once: true });
      if (signal.aborted) held.reject(signal.reason);
    }
    this.asked.push({
      nodeId,
      signal,
      answer: () => held.resolve(reply),
      fail: (error) => held.reject(error),
    });
    return held.promise;
  };
}
