import type { ChannelRequest } from "../channel/channel.js";
import { ERRNO } from "../errno.js";
import type { Caller } from "../file-system.js";
import {
  REPLY_HEADER_SIZE,
  type RequestHeader,
  type UniqueKey,
  uniqueKey,
} from "../protocol/header.js";
import type { Connection } from "../protocol/init.js";
import { OPCODE } from "../protocol/opcodes.js";
import type { ErrorReports } from "./error-reports.js";
import type { ReplyBuffer } from "./reply-buffer.js";

/** What all exchanges of a session share. */
export interface ExchangeContext {
  readonly replies: ReplyBuffer;
  readonly reports: ErrorReports;
  /** What was agreed on; `undefined` before INIT. */
  readonly connection: Connection | undefined;
}

const MAX_ERRNO = 4095;

/** Thrown at a file system that asks for the signal, and so would wait, where it must not. */
export const MUST_NOT_WAIT: Error = new Error("Cannot wait: too many requests are under way");

/** A request and its answer. To the file system it is the caller. */
export class Exchange implements Caller {
  readonly header: RequestHeader;
  readonly #request: ChannelRequest;
  readonly #context: ExchangeContext;
  #controller: AbortController | undefined;
  #interrupted = false;
  #isAnswered = false;
  #mayWait = true;

  constructor(header: RequestHeader, request: ChannelRequest, context: ExchangeContext) {
    this.header = header;
    this.#request = request;
    this.#context = context;
  }

  get uid(): number {
    return this.header.uid;
  }

  get gid(): number {
    return this.header.gid;
  }

  get pid(): number {
    return this.header.pid;
  }

  get nodeId(): number {
    return this.header.nodeId;
  }

  /** Made when it is asked for: most requests are answered before anybody could abort them. */
  get signal(): AbortSignal {
    if (!this.#mayWait) throw MUST_NOT_WAIT;
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#interrupted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** Among the exchanges under way. */
  get key(): UniqueKey {
    return uniqueKey(this.header.uniqueLow, this.header.uniqueHigh);
  }

  /** Asks the file system in a way that fails with {@link MUST_NOT_WAIT} where the answer is not at hand. */
  atOnce<T>(call: () => T): T {
    this.#mayWait = false;
    try {
      return call();
    } finally {
      this.#mayWait = true;
    }
  }

  get interrupted(): boolean {
    return this.#interrupted;
  }

  get connection(): Connection | undefined {
    return this.#context.connection;
  }

  /** Most bytes of an answer after its header. */
  get bodyCapacity(): number {
    return this.#request.replyCapacity - REPLY_HEADER_SIZE;
  }

  /** Where the body of a fixed answer is written, from REPLY_BODY on, right before {@link answer}. */
  get view(): DataView {
    return this.#context.replies.view;
  }

  /** Says that the answer is no longer wanted. */
  interrupt(): void {
    this.#interrupted = true;
    this.#controller?.abort();
  }

  /** Answers with the first `bodySize` bytes of the body in {@link view}. */
  answer(bodySize: number): void {
    this.#send(this.#context.replies.fixed(this.header, bodySize, 0), bodySize);
  }

  /** Answers with `pieces`, `size` bytes in all. */
  answerData(pieces: readonly Uint8Array[], size: number): void {
    this.#send(this.#context.replies.data(this.header, pieces, size), size);
  }

  /** Answers that there is no result. */
  fail(errno: number): void {
    const known = errno >= 1 && errno <= MAX_ERRNO ? errno : ERRNO.EIO;
    this.#send(this.#context.replies.fixed(this.header, 0, known), 0);
  }

  /** Answers a failure that is no errno: EINTR where the caller has gone, otherwise EIO and a report. */
  failWith(error: unknown): void {
    if (this.#interrupted) {
      this.fail(ERRNO.EINTR);
      return;
    }
    this.report(error);
    this.fail(ERRNO.EIO);
  }

  report(error: unknown): void {
    this.#context.reports.report(error, this.header.opcode, this.header.nodeId);
  }

  /** Ends a request that has no answer. */
  drop(): void {
    this.#request.reply([]);
  }

  /** One that was given up may come to an end all the same. */
  #send(parts: readonly Uint8Array[], bodySize: number): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    const isWanted = hasAnswer(this.header.opcode) && bodySize <= this.bodyCapacity;
    this.#request.reply(isWanted ? parts : []);
  }
}

/** Whether the kernel waits for an answer to a request of this kind. */
function hasAnswer(opcode: number): boolean {
  return (
    opcode !== OPCODE.FORGET &&
    opcode !== OPCODE.BATCH_FORGET &&
    opcode !== OPCODE.INTERRUPT &&
    opcode !== OPCODE.NOTIFY_REPLY
  );
}
