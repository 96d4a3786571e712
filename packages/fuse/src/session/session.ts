import type { Channel, ChannelRequest } from "../channel/channel.js";
import { ERRNO } from "../errno.js";
import { FuseError } from "../errors.js";
import type { FileSystem } from "../file-system.js";
import type { RequestBody } from "../protocol/body.js";
import { decodeBatchForget, decodeForget } from "../protocol/forget.js";
import { decodeRequestHeader, REQUEST_HEADER_SIZE } from "../protocol/header.js";
import {
  type Connection,
  decodeInit,
  encodeInitReply,
  INIT_REPLY_SIZE,
  type InitRequest,
  MAJOR_VERSION,
  negotiate,
  OLDEST_MINOR_VERSION,
  OUR_VERSION,
} from "../protocol/init.js";
import {
  encodeDelete,
  encodeInvalidateEntry,
  encodeInvalidateInode,
} from "../protocol/notifications.js";
import { TOO_LARGE } from "../protocol/numbers.js";
import { OPCODE } from "../protocol/opcodes.js";
import { decodeInterrupt } from "../protocol/plain-requests.js";
import { Dispatcher } from "./dispatcher.js";
import { ErrorReports, type OnError } from "./error-reports.js";
import { Exchange } from "./exchange.js";
import { requestStep } from "./operations.js";
import { Readiness } from "./readiness.js";
import { REPLY_BODY, ReplyBuffer } from "./reply-buffer.js";
import { RequestsUnderWay } from "./requests-under-way.js";

const DEFAULT_MAX_IN_FLIGHT = 256;

const DEFAULT_MAX_WAITING = 16_384;

const DEFAULT_MAX_BYTES_IN_FLIGHT = 268_435_456;

const DEFAULT_INTERRUPT_GRACE_MS = 1000;

const DEFAULT_END_GRACE_MS = 500;

/** How a session is held. */
export interface SessionOptions {
  /**
   * Most requests that the file system works on at once; of more, those that are not answered at once wait for their
   * turn. 256 by default.
   */
  readonly maxInFlight?: number;
  /** Most requests that wait; more are answered with EBUSY. 16,384 by default. */
  readonly maxWaiting?: number;
  /** Most bytes that were asked for and are not answered; what asks for more waits. 256 MiB by default. */
  readonly maxBytesInFlight?: number;
  /**
   * Milliseconds that an interrupted request has to end by itself; 1000 by default. Any signal that a program
   * catches, as SIGCHLD, interrupts it, and most programs do not expect EINTR from stat(2). Who is killed
   * while a request hangs is gone after this time.
   */
  readonly interruptGraceMs?: number;
  /** Milliseconds that requests have to end by themselves when the session ends or begins anew; 500 by default. */
  readonly endGraceMs?: number;
  /** Told of failures of the file system, which callers see as EIO. Not of more than 20 in 10 seconds. */
  readonly onError?: OnError;
}

/**
 * A kernel that talks to a file system over a channel.
 *
 * Whatever the other side sends, it gets answers, errnos at the worst. INIT may come again, as from a machine that was
 * restarted: the file system then forgets the one before. A request that is interrupted and does not end soon has
 * its signal aborted; the answer is EINTR when its promise rejects, and the result where there is one all the same.
 */
export class Session {
  readonly #channel: Channel;
  readonly #fileSystem: FileSystem;
  readonly #context: {
    readonly replies: ReplyBuffer;
    readonly reports: ErrorReports;
    connection: Connection | undefined;
  };
  readonly #underWay: RequestsUnderWay;
  readonly #dispatcher: Dispatcher;
  readonly #readiness = new Readiness();
  #isResetting = false;
  #hasState = false;
  #closed: Promise<void> | undefined;

  constructor(channel: Channel, fileSystem: FileSystem, options: SessionOptions = {}) {
    this.#channel = channel;
    this.#fileSystem = fileSystem;
    this.#context = {
      replies: new ReplyBuffer(),
      reports: new ErrorReports(options.onError),
      connection: undefined,
    };
    this.#underWay = new RequestsUnderWay({
      running: options.maxInFlight ?? DEFAULT_MAX_IN_FLIGHT,
      waiting: options.maxWaiting ?? DEFAULT_MAX_WAITING,
      bytes: options.maxBytesInFlight ?? DEFAULT_MAX_BYTES_IN_FLIGHT,
      interruptGraceMs: options.interruptGraceMs ?? DEFAULT_INTERRUPT_GRACE_MS,
      endGraceMs: options.endGraceMs ?? DEFAULT_END_GRACE_MS,
    });
    this.#dispatcher = new Dispatcher(fileSystem, this.#underWay);
  }

  /**
   * What was agreed on with the kernel, when it has connected; `undefined` where the session ended before.
   * Rejects with "UNSUPPORTED" where the kernel is too old.
   */
  get ready(): Promise<Connection | undefined> {
    return this.#readiness.promise;
  }

  /**
   * Answers requests until the other side is gone or {@link close} is called. Called once.
   *
   * @returns when all requests have ended, or were given up; rejects when the channel broke
   */
  async serve(): Promise<void> {
    try {
      await this.#channel.serve(this.#receive);
    } finally {
      await this.close();
    }
  }

  /**
   * Interrupts what is under way, waits until it has ended, but no longer than it may take, and closes the channel.
   * Again is a no-op. Requests that still come are answered with EIO.
   */
  close(): Promise<void> {
    this.#closed ??= this.#end();
    return this.#closed;
  }

  /**
   * Makes the kernel forget attributes and content of a file from `offset` on, as long as `length`
   * says; of all of it where `length` is 0.
   *
   * None of these three may be called by a file system while it answers a request: the kernel waits for locks
   * that the request may hold.
   *
   * @returns whether the kernel knew the file, and the channel can do it
   */
  invalidateInode(nodeId: number, offset = 0, length = 0): boolean {
    return this.#notify(encodeInvalidateInode(nodeId, offset, length));
  }

  /** Makes the kernel forget what a name stands for, also that it stands for nothing. */
  invalidateEntry(parent: number, name: Uint8Array): boolean {
    return this.#notify(encodeInvalidateEntry(parent, name));
  }

  /** Tells the kernel that a name is gone: like {@link invalidateEntry}, and those who watch the directory learn of it. */
  deleteEntry(parent: number, child: number, name: Uint8Array): boolean {
    return this.#notify(encodeDelete(parent, child, name));
  }

  readonly #receive = (request: ChannelRequest): void => {
    const { bytes } = request;
    const header = decodeRequestHeader(bytes);
    if (header === undefined) {
      request.reply([]);
      return;
    }
    const exchange = new Exchange(header, request, this.#context);
    const end = header.length - header.extensionSize;
    if (header.length !== bytes.byteLength || end < REQUEST_HEADER_SIZE) {
      exchange.fail(ERRNO.EINVAL);
    } else {
      this.#handle(exchange, { bytes, start: REQUEST_HEADER_SIZE, end });
    }
  };

  #handle(exchange: Exchange, body: RequestBody): void {
    switch (exchange.header.opcode) {
      case OPCODE.INIT:
        this.#init(exchange, body);
        break;
      case OPCODE.DESTROY:
        this.#reset(exchange, () => exchange.answer(0));
        break;
      case OPCODE.FORGET:
        decodeForget(body, exchange.nodeId, this.#forget);
        exchange.drop();
        break;
      case OPCODE.BATCH_FORGET:
        decodeBatchForget(body, this.#forget);
        exchange.drop();
        break;
      case OPCODE.INTERRUPT:
        this.#interrupt(body);
        exchange.drop();
        break;
      case OPCODE.NOTIFY_REPLY:
        exchange.drop();
        break;
      default:
        this.#ask(exchange, body);
    }
  }

  #ask(exchange: Exchange, body: RequestBody): void {
    if (this.#context.connection === undefined || this.#closed !== undefined) {
      exchange.fail(ERRNO.EIO);
    } else if (exchange.nodeId === TOO_LARGE) {
      exchange.fail(ERRNO.EINVAL);
    } else {
      requestStep(exchange.header.opcode)(this.#dispatcher, exchange, body);
    }
  }

  #init(exchange: Exchange, body: RequestBody): void {
    const request = decodeInit(body);
    if (typeof request === "number") {
      exchange.fail(request);
    } else if (exchange.bodyCapacity < INIT_REPLY_SIZE) {
      exchange.fail(ERRNO.EINVAL);
    } else if (request.major > MAJOR_VERSION) {
      answerInit(exchange, OUR_VERSION);
    } else {
      const isOurs = request.major === MAJOR_VERSION;
      const connection = isOurs ? negotiate(request) : undefined;
      if (connection === undefined) this.#refuse(exchange, request);
      else this.#reset(exchange, () => this.#connect(exchange, connection));
    }
  }

  #refuse(exchange: Exchange, { major, minor }: InitRequest): void {
    const needed = `${MAJOR_VERSION}.${OLDEST_MINOR_VERSION}`;
    const error = new FuseError(
      "UNSUPPORTED",
      `Cannot serve the kernel: it speaks FUSE ${major}.${minor}, and ${needed} (Linux 5.4) or newer is needed`,
    );
    this.#readiness.refused(error);
    exchange.report(error);
    exchange.fail(ERRNO.EPROTO);
  }

  #connect(exchange: Exchange, connection: Connection): void {
    this.#context.connection = connection;
    this.#hasState = true;
    answerInit(exchange, connection);
    this.#readiness.connected(connection);
  }

  /** Ends what came before, then goes on. What it would remember afterwards would be for nobody. */
  #reset(exchange: Exchange, next: () => void): void {
    if (this.#isResetting || this.#closed !== undefined) {
      exchange.fail(ERRNO.EBUSY);
      return;
    }
    this.#isResetting = true;
    this.#context.connection = undefined;
    this.#underWay.endAll(() => {
      this.#isResetting = false;
      this.#destroy();
      if (this.#closed === undefined) next();
      else exchange.fail(ERRNO.EIO);
    });
  }

  #interrupt(body: RequestBody): void {
    const key = decodeInterrupt(body);
    if (key !== undefined) this.#underWay.interrupt(key);
  }

  readonly #forget = (nodeId: number, lookups: number): void => {
    if (this.#context.connection === undefined) return;
    try {
      this.#fileSystem.forget(nodeId, lookups);
    } catch (error) {
      this.#context.reports.report(error, OPCODE.FORGET, nodeId);
    }
  };

  #destroy(): void {
    if (!this.#hasState) return;
    this.#hasState = false;
    try {
      this.#fileSystem.destroy?.();
    } catch (error) {
      this.#context.reports.report(error, OPCODE.DESTROY, 0);
    }
  }

  async #end(): Promise<void> {
    await new Promise<void>((resolve) => this.#underWay.endAll(resolve));
    this.#channel.close();
    this.#context.connection = undefined;
    this.#destroy();
    this.#readiness.ended();
  }

  #notify(parts: readonly Uint8Array[]): boolean {
    return this.#context.connection !== undefined && this.#channel.notify(parts);
  }
}

function answerInit(exchange: Exchange, connection: Connection): void {
  encodeInitReply(exchange.view, REPLY_BODY, connection);
  exchange.answer(INIT_REPLY_SIZE);
}
