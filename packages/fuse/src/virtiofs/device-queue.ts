import type { RequestHandler } from "../channel/channel.js";
import type { DeviceHost, Signal } from "./device-host.js";
import type { GuestMemory } from "./guest-memory.js";
import { RequestQueue } from "./request-queue.js";
import { type RingParts, ringLengths } from "./split-ring.js";
import type { RingAddresses } from "./vhost-user-codec.js";
import { MAX_QUEUE_SIZE } from "./vhost-user-protocol.js";
import { VirtiofsError } from "./virtiofs-error.js";

/** What queues share. */
export interface DeviceQueueContext {
  readonly host: DeviceHost;
  readonly handler: RequestHandler;
  /** The queue stopped because the guest broke a rule. */
  onBroken(queue: number, error: unknown): void;
}

/** When queues start, and with what. */
export interface StartConditions {
  /** `undefined` as long as the guest has none. */
  readonly memory: GuestMemory | undefined;
  readonly usesEventIndex: boolean;
}

/**
 * How long a queue that is stopped waits for answers to what was asked before, in milliseconds. A guest that is
 * paused wants them; the front-end waits meanwhile.
 */
export const DRAIN_TIMEOUT_MS = 5000;

/** A queue as the front-end sets it up, piece by piece. It runs as soon as it has all it needs. */
export class DeviceQueue {
  readonly #index: number;
  readonly #context: DeviceQueueContext;
  #size = 0;
  #base = 0;
  #addresses: RingAddresses | undefined;
  #kick: { close(): void } | undefined;
  #call: Signal | undefined;
  #error: Signal | undefined;
  #isEnabled = false;
  #running: RequestQueue | undefined;

  constructor(index: number, context: DeviceQueueContext) {
    this.#index = index;
    this.#context = context;
  }

  /** @throws {@link VirtiofsError} for what is no power of two, too much, or comes while the queue runs */
  setSize(size: number): void {
    this.#checkStopped("its size");
    if (size === 0 || size > MAX_QUEUE_SIZE || (size & (size - 1)) !== 0) {
      throw this.#bad(`${size} descriptors`);
    }
    this.#size = size;
  }

  /** @throws {@link VirtiofsError} for what is above 65535, or comes while the queue runs */
  setBase(base: number): void {
    this.#checkStopped("its base");
    if (base > 0xffff) throw this.#bad(`base ${base}`);
    this.#base = base;
  }

  /** @throws {@link VirtiofsError} for addresses that are not aligned, or come while the queue runs */
  setAddresses(addresses: RingAddresses): void {
    this.#checkStopped("its addresses");
    const { descriptors, available, used } = addresses;
    if (descriptors % 16n !== 0n || available % 2n !== 0n || used % 4n !== 0n) {
      throw this.#bad("addresses that are not aligned");
    }
    this.#addresses = addresses;
  }

  /** Takes the file over; it is closed when this throws. */
  setKick(file: number): void {
    this.#kick?.close();
    this.#kick = undefined;
    try {
      this.#kick = this.#context.host.watch(file, () => this.#running?.process());
    } catch (error) {
      this.#context.host.close(file);
      throw error;
    }
  }

  /** Takes the file over. Without one, the guest looks for answers by itself. */
  setCall(file: number | undefined): void {
    this.#call?.close();
    this.#call = this.#signal(file);
  }

  /** Takes the file over. */
  setError(file: number | undefined): void {
    this.#error?.close();
    this.#error = this.#signal(file);
  }

  setEnabled(isEnabled: boolean): void {
    this.#isEnabled = isEnabled;
    if (this.#running === undefined) return;
    this.#running.isPaused = !isEnabled;
    this.#running.process();
  }

  /**
   * Starts the queue if all is there and it does not run.
   *
   * @throws {@link VirtiofsError} when its ring is not in the memory of the guest
   */
  startWhenReady({ memory, usesEventIndex }: StartConditions): void {
    const isReady =
      this.#isEnabled && this.#kick !== undefined && this.#size > 0 && this.#running === undefined;
    if (!isReady || this.#addresses === undefined || memory === undefined) return;
    const { host, handler } = this.#context;
    this.#running = new RequestQueue({
      size: this.#size,
      base: this.#base,
      usesEventIndex,
      memory,
      parts: this.#parts(this.#addresses, memory),
      handler,
      notify: () => this.#call?.raise(),
      onBroken: (error) => this.#onBroken(error),
      later: (task) => host.later(task),
    });
    // Requests may wait since before the kick was watched.
    this.#running.process();
  }

  /** @throws {@link VirtiofsError} when the ring is not in that memory; then the queue has ended */
  moveTo(memory: GuestMemory): void {
    if (this.#running === undefined || this.#addresses === undefined) return;
    try {
      this.#running.moveTo(memory, this.#parts(this.#addresses, memory));
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  /**
   * Stops the queue. Its size, addresses and call are kept.
   *
   * @returns where the next request would be taken from
   */
  async stop(): Promise<number> {
    this.#kick?.close();
    this.#kick = undefined;
    const running = this.#running;
    if (running !== undefined) {
      await drain(running);
      if (this.#running === running) this.#end();
    }
    return this.#base;
  }

  /** Ends at once and closes all files. */
  close(): void {
    this.#kick?.close();
    this.#kick = undefined;
    this.setCall(undefined);
    this.setError(undefined);
    this.#end();
  }

  #end(): void {
    if (this.#running === undefined) return;
    this.#base = this.#running.base;
    this.#running.drop();
    this.#running = undefined;
  }

  #onBroken(error: unknown): void {
    this.#error?.raise();
    this.#context.onBroken(this.#index, error);
  }

  #parts(addresses: RingAddresses, memory: GuestMemory): RingParts {
    const lengths = ringLengths(this.#size);
    return {
      descriptors: memory.ringPart(addresses.descriptors, lengths.descriptors),
      available: memory.ringPart(addresses.available, lengths.available),
      used: memory.ringPart(addresses.used, lengths.used),
    };
  }

  #signal(file: number | undefined): Signal | undefined {
    return file === undefined ? undefined : this.#context.host.signal(file);
  }

  #checkStopped(what: string): void {
    if (this.#running !== undefined) throw this.#bad(`${what} changes while it runs`);
  }

  #bad(what: string): VirtiofsError {
    return new VirtiofsError("message", `Cannot set up queue ${this.#index}: ${what}`);
  }
}

async function drain(queue: RequestQueue): Promise<void> {
  const timer = setTimeout(() => queue.drop(), DRAIN_TIMEOUT_MS);
  await queue.stop();
  clearTimeout(timer);
}
