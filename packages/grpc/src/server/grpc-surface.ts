import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { respondStatus, ServerCall, toStatus } from "./call.js";
import type { Connection } from "./connection.js";
import type { Authorize, Peer, RequestEnd, RequestHead, RpcObserver } from "./hooks.js";
import type { RpcServerLimits } from "./limits.js";
import type { MethodEntry, MethodTable } from "./method-table.js";

/** Options of {@link GrpcSurface}. */
export interface GrpcSurfaceOptions {
  readonly table: MethodTable;
  readonly limits: RpcServerLimits;
  readonly authorize?: Authorize | undefined;
  readonly observer?: RpcObserver | undefined;
}

/** A request for our framing, until its call has begun or was refused. */
interface Request {
  readonly stream: ServerHttp2Stream;
  readonly head: RequestHead;
  readonly connection: Connection;
  readonly onEnd: ((end: RequestEnd) => void) | undefined;
}

/** The end of a call that did not begin. */
const REFUSED = { httpStatus: 200, durationMs: 0, bytesIn: 0, bytesOut: 0 } as const;

/** Takes the calls that are for our framing: looks whether they may be made, and starts them. */
export class GrpcSurface {
  readonly #options: GrpcSurfaceOptions;
  #calls = 0;

  constructor(options: GrpcSurfaceOptions) {
    this.#options = options;
  }

  /** Calls at this moment. */
  get callCount(): number {
    return this.#calls;
  }

  /** Handles one request; never throws. */
  accept(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, connection: Connection): void {
    const head = grpcHead(headers, connection.peer);
    const onEnd = this.#options.observer?.onRequest?.(head);
    const request: Request = { stream, head, connection, onEnd };
    const { authorize } = this.#options;
    if (authorize === undefined) {
      this.#begin(request);
      return;
    }
    try {
      const pending = authorize(head);
      if (pending === undefined) {
        this.#begin(request);
      } else {
        pending.then(
          () => this.#begin(request),
          (reason: unknown) => refuse(request, reason),
        );
      }
    } catch (error) {
      refuse(request, error);
    }
  }

  /** Begins the call of a request that may be made. */
  #begin(request: Request): void {
    const { stream, head, onEnd } = request;
    const entry = this.#options.table.methods.get(head.path);
    if (entry === undefined) {
      refuse(request, new ConnectError(`there is no method ${head.path}`, Code.Unimplemented));
    } else if (stream.destroyed || stream.closed) {
      onEnd?.({ ...REFUSED, code: Code.Canceled, error: undefined });
    } else if (this.#calls >= this.#options.limits.maxCalls) {
      refuse(request, new ConnectError("the server has too many calls", Code.ResourceExhausted));
    } else {
      this.#start(request, entry);
    }
  }

  #start({ stream, head, connection, onEnd }: Request, entry: MethodEntry): void {
    const call = new ServerCall(stream, head.headers, entry, {
      limits: this.#options.limits,
      onEnd: onEnd && ((end) => onEnd({ ...end, httpStatus: 200 })),
    });
    this.#calls++;
    stream.on("close", () => {
      this.#calls--;
    });
    connection.addCall(call, stream);
    call.start();
  }
}

/** Whether a request is for our framing: gRPC with messages in protobuf. */
export function isGrpc(headers: IncomingHttpHeaders): boolean {
  const type = headers["content-type"];
  return (
    (type === "application/grpc" || type === "application/grpc+proto") &&
    headers[":method"] === "POST"
  );
}

function grpcHead(headers: IncomingHttpHeaders, peer: Peer): RequestHead {
  const path = headers[":path"] ?? "";
  return { surface: "grpc", method: "POST", path, headers, peer };
}

function refuse({ stream, onEnd }: Request, reason: unknown): void {
  const error = toStatus(reason);
  if (!stream.destroyed && !stream.closed) {
    respondStatus(stream, error);
    // The body was not asked for and must not fill the window of the connection.
    stream.resume();
  }
  onEnd?.({ ...REFUSED, code: error.code, error: reason });
}
