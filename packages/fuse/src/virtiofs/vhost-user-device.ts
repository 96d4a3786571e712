import type { RequestHandler } from "../channel/channel.js";
import type { DeviceHost } from "./device-host.js";
import { DeviceQueue, type DeviceQueueContext } from "./device-queue.js";
import { GuestMemory, SharedRegion } from "./guest-memory.js";
import { MessageFiles } from "./message-files.js";
import { placeRegion } from "./region-placement.js";
import {
  decodeRequest,
  encodeNumberReply,
  encodeStateReply,
  type FrontendRequest,
  type MessageHeader,
  type RegionDescription,
  requestName,
} from "./vhost-user-codec.js";
import {
  FEATURE,
  MAX_MEMORY_SLOTS,
  MAX_QUEUES,
  OFFERED_FEATURES,
  OFFERED_PROTOCOL_FEATURES,
  PROTOCOL_FEATURE,
  REQUEST,
  VRING_ADDRESS_LOG,
} from "./vhost-user-protocol.js";
import { VirtiofsError } from "./virtiofs-error.js";

/** What a device works with. */
export interface VhostUserDeviceOptions {
  readonly host: DeviceHost;
  readonly handler: RequestHandler;
  /** What went wrong and did not end the connection: a queue that stopped, a request that was refused. */
  onProblem(error: unknown): void;
}

/**
 * The device of one connection: what its front-end has set up so far. Requests of the front-end are handled one after
 * the other.
 */
export class VhostUserDevice {
  readonly #options: VhostUserDeviceOptions;
  readonly #queues = new Map<number, DeviceQueue>();
  #memory: GuestMemory | undefined;
  #features = 0n;
  #protocolFeatures = 0n;
  #isClosed = false;

  constructor(options: VhostUserDeviceOptions) {
    this.#options = options;
  }

  /**
   * Does what the front-end asks for.
   *
   * @param fds - files that came with the message; they belong to the device from now on
   * @returns the message that answers it, or `undefined`; the next request is handled after it is there
   * @throws {@link VirtiofsError} (as a rejection, too) when a request is refused whose sender does not wait for an answer
   */
  async handle(
    header: MessageHeader,
    payload: Uint8Array,
    fds: readonly number[],
  ): Promise<Uint8Array | undefined> {
    const files = new MessageFiles(fds, this.#options.host, requestName(header.request));
    // Whether an answer is wanted is decided before: the features may change with this very request.
    const wantsAnswer = header.needsReply && this.#hasProtocol(PROTOCOL_FEATURE.REPLY_ACK);
    try {
      const answer = await this.#dispatch(header.request, payload, files);
      if (answer !== undefined || !wantsAnswer) return answer;
      return encodeNumberReply(header.request, 0n);
    } catch (error) {
      if (!wantsAnswer || !(error instanceof VirtiofsError)) throw error;
      this.#options.onProblem(error);
      return encodeNumberReply(header.request, 1n);
    } finally {
      files.closeRest();
    }
  }

  /** Ends all queues at once and frees what the front-end gave. Again is a no-op. */
  close(): void {
    this.#isClosed = true;
    for (const queue of this.#queues.values()) queue.close();
    this.#queues.clear();
    this.#memory?.release();
    this.#memory = undefined;
  }

  async #dispatch(
    request: number,
    payload: Uint8Array,
    files: MessageFiles,
  ): Promise<Uint8Array | undefined> {
    const message = decodeRequest(request, payload);
    switch (message?.kind) {
      case "plain":
        return await this.#answerPlain(request);
      case "features":
        this.#setFeatures(request, message.features);
        return undefined;
      case "state":
        return await this.#handleState(request, message.queue, message.value);
      case "file":
        this.#setFile(request, message, files);
        return undefined;
      case "addresses":
        if ((message.flags & VRING_ADDRESS_LOG) !== 0) throw refused(request, "logging of writes");
        this.#queue(request, message.queue).setAddresses(message);
        this.#startQueues();
        return undefined;
      case "regions":
        this.#setRegions(request, message.regions, files);
        return undefined;
      case undefined:
        throw refused(request, "it was not offered");
    }
  }

  async #answerPlain(request: number): Promise<Uint8Array | undefined> {
    switch (request) {
      case REQUEST.GET_FEATURES:
        return encodeNumberReply(request, OFFERED_FEATURES);
      case REQUEST.GET_PROTOCOL_FEATURES:
        return encodeNumberReply(request, OFFERED_PROTOCOL_FEATURES);
      case REQUEST.GET_QUEUE_NUM:
        return encodeNumberReply(request, BigInt(MAX_QUEUES));
      case REQUEST.GET_MAX_MEM_SLOTS:
        return encodeNumberReply(request, BigInt(MAX_MEMORY_SLOTS));
      case REQUEST.RESET_OWNER:
        await Promise.all([...this.#queues.values()].map((queue) => queue.stop()));
        return undefined;
      default:
        // SET_OWNER: the connection has one front-end anyway.
        return undefined;
    }
  }

  #setFeatures(request: number, features: bigint): void {
    const isProtocol = request === REQUEST.SET_PROTOCOL_FEATURES;
    const offered = isProtocol ? OFFERED_PROTOCOL_FEATURES : OFFERED_FEATURES;
    const unknown = features & ~offered;
    if (unknown !== 0n) throw refused(request, `features 0x${unknown.toString(16)}`);
    if (isProtocol) this.#protocolFeatures = features;
    else this.#features = features;
  }

  async #handleState(
    request: number,
    index: number,
    value: number,
  ): Promise<Uint8Array | undefined> {
    const queue = this.#queue(request, index);
    switch (request) {
      case REQUEST.GET_VRING_BASE:
        return encodeStateReply(request, index, await queue.stop());
      case REQUEST.SET_VRING_NUM:
        queue.setSize(value);
        break;
      case REQUEST.SET_VRING_BASE:
        queue.setBase(value);
        break;
      default:
        queue.setEnabled(value !== 0);
    }
    this.#startQueues();
    return undefined;
  }

  #setFile(
    request: number,
    message: FrontendRequest & { readonly kind: "file" },
    files: MessageFiles,
  ): void {
    const queue = this.#queue(request, message.queue);
    const file = message.hasFile ? files.take() : undefined;
    if (request === REQUEST.SET_VRING_CALL) queue.setCall(file);
    else if (request === REQUEST.SET_VRING_ERR) queue.setError(file);
    else if (file === undefined) throw refused(request, "a queue without kicks");
    else {
      queue.setKick(file);
      // Without this feature there is no SET_VRING_ENABLE.
      if ((this.#features & FEATURE.PROTOCOL_FEATURES) === 0n) queue.setEnabled(true);
      this.#startQueues();
    }
  }

  #setRegions(request: number, regions: readonly RegionDescription[], files: MessageFiles): void {
    const present = this.#memory?.shared ?? [];
    if (request === REQUEST.SET_MEM_TABLE) this.#useRegions([], regions, files);
    else if (request === REQUEST.ADD_MEM_REG) this.#useRegions(present, regions, files);
    else {
      const left = present.filter((item) => !regions.some((region) => isSame(item, region)));
      if (left.length === present.length) throw refused(request, "there is no such region");
      this.#useRegions(left, [], files);
    }
  }

  #useRegions(
    kept: readonly SharedRegion[],
    added: readonly RegionDescription[],
    files: MessageFiles,
  ): void {
    if (kept.length + added.length > MAX_MEMORY_SLOTS) {
      throw new VirtiofsError("memory", `Cannot use more than ${MAX_MEMORY_SLOTS} regions`);
    }
    const before = this.#memory;
    this.#memory = this.#mapRegions(kept, added, files);
    try {
      for (const queue of this.#queues.values()) queue.moveTo(this.#memory);
    } finally {
      before?.release();
    }
    this.#startQueues();
  }

  #mapRegions(
    kept: readonly SharedRegion[],
    added: readonly RegionDescription[],
    files: MessageFiles,
  ): GuestMemory {
    const mapped: SharedRegion[] = [];
    try {
      for (const description of added) {
        const placement = placeRegion(description);
        const region = files.borrow((file) => this.#options.host.map(file, placement));
        const shared = new SharedRegion(region);
        shared.hold();
        mapped.push(shared);
      }
      return new GuestMemory([...kept, ...mapped]);
    } finally {
      // Those that the memory does not hold by now are unmapped.
      for (const item of mapped) item.release();
    }
  }

  #startQueues(): void {
    if (this.#isClosed) return;
    const usesEventIndex = (this.#features & FEATURE.EVENT_IDX) !== 0n;
    const conditions = { memory: this.#memory, usesEventIndex };
    for (const queue of this.#queues.values()) queue.startWhenReady(conditions);
  }

  #queue(request: number, index: number): DeviceQueue {
    if (index >= MAX_QUEUES) throw refused(request, `queue ${index} of ${MAX_QUEUES}`);
    let queue = this.#queues.get(index);
    if (queue === undefined) {
      queue = new DeviceQueue(index, this.#queueContext());
      this.#queues.set(index, queue);
    }
    return queue;
  }

  #queueContext(): DeviceQueueContext {
    const { host, handler, onProblem } = this.#options;
    return {
      host,
      handler,
      onBroken: (queue, cause) => {
        const why = cause instanceof Error ? cause.message : String(cause);
        const reason = cause instanceof VirtiofsError ? cause.reason : "ring";
        onProblem(new VirtiofsError(reason, `Queue ${queue} stopped: ${why}`, { cause }));
      },
    };
  }

  #hasProtocol(feature: bigint): boolean {
    return (this.#protocolFeatures & feature) !== 0n;
  }
}

function isSame({ region }: SharedRegion, description: RegionDescription): boolean {
  return (
    BigInt(region.guestAddress) === description.guestAddress &&
    BigInt(region.size) === description.size &&
    region.userAddress === description.userAddress
  );
}

function refused(request: number, what: string): VirtiofsError {
  return new VirtiofsError("message", `Cannot take ${requestName(request)}: ${what}`);
}
