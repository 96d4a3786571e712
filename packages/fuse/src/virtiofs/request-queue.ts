import type { ChannelRequest, RequestHandler } from "../channel/channel.js";
import { copyReadable, type DescriptorChain, readChain, writeParts } from "./descriptor-chain.js";
import type { GuestMemory } from "./guest-memory.js";
import { type RingOptions, type RingParts, SplitRing } from "./split-ring.js";

/** What a queue is made of, and whom it tells what. */
export interface RequestQueueOptions extends RingOptions {
  readonly parts: RingParts;
  /** In which the parts lie. */
  readonly memory: GuestMemory;
  readonly handler: RequestHandler;
  /** Wakes the guest, which looks for answers then. */
  notify(): void;
  /** A rule was broken: no request of this queue will be taken any more. */
  onBroken(error: unknown): void;
  /** Goes on later with `task`, after other things had their turn. */
  later(task: () => void): void;
}

/** A request that was taken. */
interface UnderWay {
  readonly head: number;
  readonly chain: DescriptorChain;
  /** Held until the answer is written. */
  readonly memory: GuestMemory;
}

/**
 * A queue that runs: requests go to the handler in their order, answers back in any order.
 *
 * It holds the memory that it works in until it has ended, and for each request the memory that its
 * descriptors were looked up in.
 */
export class RequestQueue {
  /** Nothing is taken as long as this is set. */
  isPaused = false;
  readonly #options: RequestQueueOptions;
  readonly #ring: SplitRing;
  readonly #underWay = new Set<UnderWay>();
  /** `undefined` when the queue has ended: the ring is not touched any more. */
  #memory: GuestMemory | undefined;
  #isTaking = true;
  #isBusy = false;
  #isScheduled = false;
  #onDrained: (() => void) | undefined;
  #buffer = new Uint8Array(4096);

  constructor(options: RequestQueueOptions) {
    this.#options = options;
    this.#ring = new SplitRing(options.parts, options);
    this.#memory = options.memory;
    options.memory.hold();
  }

  /** Where the next request would be taken from. */
  get base(): number {
    return this.#ring.base;
  }

  /** Takes the requests that wait, a ring full at most before others have their turn. Never throws. */
  process(): void {
    if (!this.#isTaking || this.#isBusy || this.isPaused) return;
    this.#isBusy = true;
    try {
      if (this.#takeWaiting()) this.#goOnLater();
    } catch (error) {
      this.#break(error);
    } finally {
      this.#isBusy = false;
      this.#tell();
      this.#endWhenDrained();
    }
  }

  /** Goes on in other memory, of which `parts` are the ring. Requests under way are answered in what was before. */
  moveTo(memory: GuestMemory, parts: RingParts): void {
    if (this.#memory === undefined) return;
    memory.hold();
    this.#memory.release();
    this.#memory = memory;
    this.#ring.moveTo(parts);
  }

  /**
   * Takes no more requests, and ends.
   *
   * @returns when all that were taken have been answered, or {@link drop} was called
   */
  stop(): Promise<void> {
    this.#isTaking = false;
    return new Promise((resolve) => {
      if (this.#memory === undefined) {
        resolve();
        return;
      }
      this.#onDrained = resolve;
      this.#endWhenDrained();
    });
  }

  /** Ends at once. Answers that are still to come are dropped: nobody looks for them. */
  drop(): void {
    this.#isTaking = false;
    for (const request of this.#underWay) request.memory.release();
    this.#underWay.clear();
    this.#end();
  }

  /** @returns whether there may be more */
  #takeWaiting(): boolean {
    let left = this.#ring.size;
    do {
      for (;;) {
        if (left === 0) return true;
        const head = this.#ring.take();
        if (head === undefined) break;
        left -= 1;
        this.#hand(head);
        if (!this.#isTaking || this.isPaused) return false;
      }
      this.#tell();
    } while (this.#ring.awaitKick());
    return false;
  }

  #hand(head: number): void {
    const memory = this.#memory as GuestMemory;
    const { descriptors, size } = this.#ring;
    const chain = readChain({ descriptors, size, memory }, head);
    const request: UnderWay = { head, chain, memory };
    memory.hold();
    this.#underWay.add(request);
    this.#options.handler(this.#channelRequest(request));
  }

  #channelRequest(request: UnderWay): ChannelRequest {
    const { chain } = request;
    return {
      bytes: this.#copyRequest(chain),
      replyCapacity: chain.writableLength,
      reply: (parts) => this.#answer(request, parts),
    };
  }

  #copyRequest(chain: DescriptorChain): Uint8Array {
    const length = chain.readableLength;
    if (length > this.#buffer.length) this.#buffer = new Uint8Array(length);
    const bytes = this.#buffer.subarray(0, length);
    copyReadable(chain, bytes);
    return bytes;
  }

  #answer(request: UnderWay, parts: readonly Uint8Array[]): void {
    // Dropped, or answered before.
    if (!this.#underWay.has(request)) return;
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (length > request.chain.writableLength) {
      // Half an answer would be wrong bytes in the guest, so it gets none.
      const room = request.chain.writableLength;
      this.#break(new RangeError(`Cannot answer with ${length} bytes: there is room for ${room}`));
      return;
    }
    this.#underWay.delete(request);
    writeParts(request.chain, parts);
    request.memory.release();
    this.#ring.give(request.head, length);
    if (this.#isBusy) return;
    this.#tell();
    this.#endWhenDrained();
  }

  #tell(): void {
    if (this.#memory !== undefined && this.#ring.mustNotify()) this.#options.notify();
  }

  #break(error: unknown): void {
    this.#isTaking = false;
    this.#options.onBroken(error);
  }

  #goOnLater(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#options.later(() => {
      this.#isScheduled = false;
      this.process();
    });
  }

  #endWhenDrained(): void {
    if (this.#onDrained !== undefined && this.#underWay.size === 0 && !this.#isBusy) this.#end();
  }

  #end(): void {
    this.#memory?.release();
    this.#memory = undefined;
    this.#onDrained?.();
  }
}
