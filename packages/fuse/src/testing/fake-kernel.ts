import { OPCODE } from "../protocol/opcodes.js";
import type { MemoryChannel } from "./memory-channel.js";
import {
  layout,
  parseReply,
  type ReplyFields,
  type RequestFields,
  requestMessage,
  u32,
} from "./message.js";

/** Every flag that Linux 6.18 announces in INIT. */
const ALL_INIT_FLAGS = 0x73ff_fffb;

/** The kernel's part of a conversation over a {@link MemoryChannel}. */
export class FakeKernel {
  readonly channel: MemoryChannel;
  #unique = 0;

  constructor(channel: MemoryChannel) {
    this.channel = channel;
  }

  /** Asks and waits for the answer. */
  async call(
    opcode: number,
    body?: Uint8Array,
    fields: Partial<RequestFields> & { readonly capacity?: number } = {},
  ): Promise<ReplyFields> {
    this.#unique += 2;
    const { capacity, ...header } = fields;
    const request = {
      opcode,
      unique: this.#unique,
      ...(body === undefined ? {} : { body }),
      ...header,
    };
    return parseReply(await this.channel.send(requestMessage(request), capacity));
  }

  /** Sends what has no answer, and waits until it is taken. */
  async tell(opcode: number, body: Uint8Array, fields: Partial<RequestFields> = {}): Promise<void> {
    this.#unique += 2;
    const reply = await this.channel.send(
      requestMessage({ opcode, unique: this.#unique, body, ...fields }),
    );
    if (reply.byteLength > 0) throw new Error("Cannot go on: an answer where there is none");
  }

  /** The unique id of the last request. */
  get lastUnique(): number {
    return this.#unique;
  }

  /** INIT, as Linux 6.18 sends it unless told otherwise. */
  init(
    options: { readonly major?: number; readonly minor?: number; readonly flags?: number } = {},
  ): Promise<ReplyFields> {
    return this.call(
      OPCODE.INIT,
      layout(
        u32(options.major ?? 7),
        u32(options.minor ?? 44),
        u32(0x20000),
        u32(options.flags ?? ALL_INIT_FLAGS),
        u32(0x5fd),
        new Uint8Array(44),
      ),
      { nodeId: 0 },
    );
  }
}
