import type { Transport } from "@connectrpc/connect";
import type { CallOptions, Node } from "@tvix/castore";
import { callUnary } from "@tvix/castore/grpc";
import { PathInfoService as PathInfoServiceDesc } from "@tvix/protos/store";
import { StoreError } from "../errors.js";
import type { NarCalculation, NarCalculationService } from "../nar-calculation.js";
import { MAX_NAR_SIZE } from "../path-info.js";
import { anonymousNodeToProto } from "../rpc/anonymous-node.js";
import { connectToStoreError } from "../rpc/error-mapping.js";
import { SHA256_LENGTH } from "../sha256/sha256.js";

/**
 * Has the server compute NARs of what it stores. Its answer can only be believed: use it with a server
 * that is trusted, or hold what is made of it against the bytes.
 */
export class GrpcNarCalculation implements NarCalculationService {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async calculateNar(root: Node, options: CallOptions = {}): Promise<NarCalculation> {
    const { calculateNAR } = PathInfoServiceDesc.method;
    try {
      const input = anonymousNodeToProto(root);
      const { message } = await callUnary(this.#transport, calculateNAR, input, options);
      return checked(message);
    } catch (error) {
      options.signal?.throwIfAborted();
      throw connectToStoreError(error, "Cannot calculate a NAR");
    }
  }

  /** Keeps nothing: the protocol has no call for it. */
  async remember(): Promise<void> {}
}

function checked({ narSize, narSha256 }: NarCalculation): NarCalculation {
  if (narSha256.byteLength === SHA256_LENGTH && narSize <= MAX_NAR_SIZE) {
    return { narSize, narSha256: new Uint8Array(narSha256) };
  }
  throw new StoreError(
    "CORRUPT",
    `Cannot read an answer: it has a NAR of ${narSize} bytes and a hash of ${narSha256.byteLength}`,
  );
}
