import { Code, type Transport } from "@connectrpc/connect";
import { type CallOptions, equalBytes } from "@tvix/castore";
import { callServerStream, callUnary, callUnaryOnce, isStatus } from "@tvix/castore/grpc";
import {
  PathInfoService as PathInfoServiceDesc,
  type PathInfo as ProtoPathInfo,
} from "@tvix/protos/store";
import { StoreError } from "../errors.js";
import { encodeNixBase32 } from "../nixbase32.js";
import { InvalidPathInfoError, PathInfo } from "../path-info.js";
import { assertOutputHash } from "../pathinfoservice/output-hash.js";
import type { PathInfoService } from "../pathinfoservice/path-info-service.js";
import { connectToStoreError } from "../rpc/error-mapping.js";
import { encodePathInfo } from "../wire/path-info-codec.js";
import { pathInfoFromProto, pathInfoToProto } from "../wire/path-info-message.js";

/**
 * Path infos of a server that speaks the protocol of tvix and snix. What it sends is validated and must be
 * of the path that was asked for; who vouches for its content is a matter of signatures.
 */
export class GrpcPathInfoService implements PathInfoService {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    assertOutputHash(outputHash);
    options.signal?.throwIfAborted();
    const what = `Cannot read the path info of ${encodeNixBase32(outputHash)}`;
    const byWhat = { case: "byOutputHash" as const, value: new Uint8Array(outputHash) };
    let message: ProtoPathInfo;
    try {
      const { get } = PathInfoServiceDesc.method;
      ({ message } = await callUnary(this.#transport, get, { byWhat }, options));
    } catch (error) {
      options.signal?.throwIfAborted();
      if (isStatus(error, Code.NotFound)) return undefined;
      throw connectToStoreError(error, what);
    }
    const pathInfo = fromServer(message, what);
    if (equalBytes(pathInfo.storePath.digestBytes(), byWhat.value)) return pathInfo;
    throw new StoreError("CORRUPT", `${what}: the server sends that of ${pathInfo.storePath}`);
  }

  async put(pathInfo: PathInfo, options: CallOptions = {}): Promise<PathInfo> {
    options.signal?.throwIfAborted();
    const what = `Cannot store the path info of ${pathInfo.storePath}`;
    const input = pathInfoToProto(pathInfo);
    let message: ProtoPathInfo;
    try {
      // Not repeated: a service that replaces would undo what another client put in between.
      const { put } = PathInfoServiceDesc.method;
      ({ message } = await callUnaryOnce(this.#transport, put, input, options));
    } catch (error) {
      options.signal?.throwIfAborted();
      throw connectToStoreError(error, what);
    }
    const stored = fromServer(message, what);
    if (saysAsMuch(stored, pathInfo)) return stored;
    throw new StoreError("CORRUPT", `${what}: the server answers with another one`);
  }

  /** As the contract says, in the order of the server: that of others than ours may be any. */
  async *list(options: CallOptions = {}): AsyncGenerator<PathInfo, void, undefined> {
    const { list } = PathInfoServiceDesc.method;
    const what = "Cannot list path infos";
    try {
      for await (const message of callServerStream(this.#transport, list, {}, options)) {
        yield fromServer(message, what);
      }
    } catch (error) {
      options.signal?.throwIfAborted();
      throw connectToStoreError(error, what);
    }
  }
}

function fromServer(message: ProtoPathInfo, what: string): PathInfo {
  try {
    return pathInfoFromProto(message);
  } catch (cause) {
    if (!(cause instanceof InvalidPathInfoError)) throw cause;
    throw new StoreError("CORRUPT", `${what}: ${cause.message}`, { cause });
  }
}

/** Whether `stored` says all that was sent, and no more than a server may know besides. */
function saysAsMuch(stored: PathInfo, sent: PathInfo): boolean {
  const { storePath, node, references, narSize, narSha256 } = stored;
  const comparable = PathInfo.of({
    ...{ storePath, node, references, narSize, narSha256 },
    signatures: sent.signatures,
    deriver: sent.deriver && stored.deriver,
    contentAddress: sent.contentAddress && stored.contentAddress,
  });
  return equalBytes(encodePathInfo(comparable), encodePathInfo(sent));
}
