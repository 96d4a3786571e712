/** A request as it came, and the way back for its answer. */
export interface ChannelRequest {
  /**
   * The whole message, header included, copied out of memory that others can write. It is valid until
   * the handler returns; what is needed longer is copied.
   */
  readonly bytes: Uint8Array;
  /** Most bytes that an answer may have, header included. */
  readonly replyCapacity: number;
  /**
   * Sends the answer, made of `parts` in order; none for requests that are not answered (FORGET). To be called once,
   * at any time, also after the channel is closed. An answer that nobody waits for any more is dropped. The parts are
   * taken (written or copied) before it returns, since the caller uses their memory again. It never throws.
   */
  reply(parts: readonly Uint8Array[]): void;
}

/** Takes the requests of a channel, in the order in which they came. It never throws. */
export type RequestHandler = (request: ChannelRequest) => void;

/** Where requests of a kernel come from: `/dev/fuse`, a virtqueue, or memory in tests. */
export interface Channel {
  /**
   * Hands requests to `handler` until the other side is gone or {@link close} is called. Called once.
   *
   * @returns when no request will come any more; rejects when the channel broke
   */
  serve(handler: RequestHandler): Promise<void>;

  /**
   * Sends a message that is no answer (its unique id is 0), as FUSE_NOTIFY_INVAL_INODE.
   *
   * @returns whether it was taken: `false` where the channel cannot, or the kernel does not know what it is about
   */
  notify(parts: readonly Uint8Array[]): boolean;

  /** Stops handing out requests and frees what the channel holds. Again is a no-op. */
  close(): void;
}
