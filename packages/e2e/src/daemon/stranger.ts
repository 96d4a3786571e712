import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodClientStreaming,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import {
  type CallOptions,
  type ChannelOptions,
  Client,
  type ClientReadableStream,
  type ClientWritableStream,
  credentials,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";

export interface StrangerCall extends CallOptions {
  readonly metadata?: Metadata;
}

/** A client that is not ours: `@grpc/grpc-js`, with nothing of our code but the generated messages. */
export class Stranger {
  readonly #client: Client;

  /** @param address - `HOST:PORT` or `unix:PATH` */
  constructor(address: string, options: ChannelOptions = {}) {
    // Clients share connections per address by default; each of these has its own.
    const own = { "grpc.use_local_subchannel_pool": 1, ...options };
    this.#client = new Client(address, credentials.createInsecure(), own);
  }

  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    { metadata, ...options }: StrangerCall = {},
  ): Promise<MessageShape<O>> {
    return await new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest<MessageShape<I>, MessageShape<O>>(
        pathOf(method),
        encoder(method.input),
        decoder(method.output),
        create(method.input, request),
        metadata ?? new Metadata(),
        options,
        settle(resolve, reject),
      );
    });
  }

  /** Starts a call whose answer is a stream. */
  read<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    { metadata, ...options }: StrangerCall = {},
  ): ClientReadableStream<MessageShape<O>> {
    return this.#client.makeServerStreamRequest<MessageShape<I>, MessageShape<O>>(
      pathOf(method),
      encoder(method.input),
      decoder(method.output),
      create(method.input, request),
      metadata ?? new Metadata(),
      options,
    );
  }

  /** All messages that a call answers with. */
  async readAll<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageInitShape<I>,
    options: StrangerCall = {},
  ): Promise<MessageShape<O>[]> {
    return (await this.read(method, request, options).toArray()) as MessageShape<O>[];
  }

  /** Starts a call whose request is a stream. */
  write<I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    { metadata, ...options }: StrangerCall = {},
  ): {
    readonly call: ClientWritableStream<MessageShape<I>>;
    readonly answer: Promise<MessageShape<O>>;
  } {
    let call: ClientWritableStream<MessageShape<I>> | undefined;
    const answer = new Promise<MessageShape<O>>((resolve, reject) => {
      call = this.#client.makeClientStreamRequest<MessageShape<I>, MessageShape<O>>(
        pathOf(method),
        encoder(method.input),
        decoder(method.output),
        metadata ?? new Metadata(),
        options,
        settle(resolve, reject),
      );
      // What goes wrong is in the answer.
      call.on("error", () => {});
    });
    if (call === undefined) throw new Error("The call was not made");
    return { call, answer };
  }

  /** Sends all of `requests` as fast as the other side takes them. */
  async writeAll<I extends DescMessage, O extends DescMessage>(
    method: DescMethodClientStreaming<I, O>,
    requests: Iterable<MessageInitShape<I>>,
    options: StrangerCall = {},
  ): Promise<MessageShape<O>> {
    const { call, answer } = this.write(method, options);
    let isOver = false;
    const end = (): void => {
      isOver = true;
    };
    const over = answer.then(end, end);
    for (const request of requests) {
      if (isOver) break;
      if (!call.write(create(method.input, request))) {
        let resume = (): void => {};
        const drained = new Promise<void>((resolve) => {
          resume = resolve;
          call.once("drain", resume);
        });
        await Promise.race([drained, over]);
        call.off("drain", resume);
      }
    }
    call.end();
    return await answer;
  }

  close(): void {
    this.#client.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

function encoder<T extends DescMessage>(schema: T): (message: MessageShape<T>) => Buffer {
  return (message) => {
    const bytes = toBinary(schema, message);
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
}

function decoder<T extends DescMessage>(schema: T): (bytes: Buffer) => MessageShape<T> {
  return (bytes) => {
    // Parts of a Buffer would be Buffers.
    return fromBinary(schema, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  };
}

function settle<T>(
  resolve: (value: T) => void,
  reject: (error: unknown) => void,
): (error: ServiceError | null, value?: T) => void {
  return (error, value) => {
    if (error === null && value !== undefined) resolve(value);
    else reject(error ?? new Error("Neither an answer nor an error"));
  };
}
