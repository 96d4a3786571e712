import { type CallOptions, concatBytes } from "@tvix/castore";
import { type CacheRequest, headerOf } from "./exchange.js";
import { CacheRefusal } from "./refusal.js";

/**
 * Length of the body as the request states it; `undefined` when it does not.
 *
 * @throws {@link CacheRefusal}
 */
function statedLength(request: CacheRequest): number | undefined {
  const value = headerOf(request, "content-length");
  if (value === undefined) return undefined;
  const length = Number(value);
  if (/^\d{1,16}$/.test(value) && Number.isSafeInteger(length)) return length;
  throw new CacheRefusal(400, "the content-length is not a number");
}

/** Refuses a body before it is read when it states more than `maxBytes`. */
function checkStatedLength(request: CacheRequest, maxBytes: bigint): number | undefined {
  const length = statedLength(request);
  if (length === undefined || BigInt(length) <= maxBytes) return length;
  throw new CacheRefusal(413, `the body has ${length} bytes, at most ${maxBytes} are taken`);
}

/**
 * The bytes of a body, counted on their way. A body that is shorter or longer
 * than stated ends in a refusal, so that nothing comes of it.
 */
export class RequestBody {
  readonly #request: CacheRequest;
  readonly #length: number | undefined;
  #received = 0;
  #ended = false;

  /** @throws {@link CacheRefusal} when more than `maxBytes` are announced */
  constructor(request: CacheRequest, maxBytes: bigint) {
    this.#length = checkStatedLength(request, maxBytes);
    this.#request = request;
  }

  /** Bytes so far. */
  get received(): number {
    return this.#received;
  }

  /** Whether all has been read, to the end. */
  get ended(): boolean {
    return this.#ended;
  }

  async *stream(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of this.#request.body) {
      this.#received += chunk.byteLength;
      yield chunk;
    }
    if (this.#length !== undefined && this.#received !== this.#length) {
      const what = `the body has ${this.#received} bytes, not the ${this.#length} that were announced`;
      throw new CacheRefusal(400, what);
    }
    this.#ended = true;
  }
}

/**
 * All of a small body.
 *
 * @throws {@link CacheRefusal} when it is larger than `maxBytes`, or not as long as stated
 */
export async function readBody(
  request: CacheRequest,
  maxBytes: number,
  options: CallOptions & {
    /** What the bytes go through first, such as decompression. */
    readonly decode?: (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;
  } = {},
): Promise<Uint8Array> {
  const body = new RequestBody(request, BigInt(maxBytes));
  const { decode = (bytes) => bytes, signal } = options;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of decode(body.stream())) {
    signal?.throwIfAborted();
    length += chunk.byteLength;
    if (length > maxBytes) {
      throw new CacheRefusal(413, `the body has more than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return concatBytes(chunks);
}
