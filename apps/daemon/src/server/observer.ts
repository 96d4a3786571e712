import { Code, ConnectError } from "@connectrpc/connect";
import type { ConnectionEnd, Peer, RequestEnd, RequestHead, RpcObserver } from "@tvix/grpc";
import { LineBudget } from "../log/line-budget.js";
import { errorText, type LogFields, type Logger } from "../log/logger.js";
import type { Metrics } from "../metrics/metrics.js";
import type { Tracing } from "../tracing/tracing.js";

/** Who hears of connections and calls. */
export interface ObserverOptions {
  readonly logger: Logger;
  readonly metrics: Metrics | undefined;
  readonly tracing: Tracing | undefined;
}

/** Lines about failed calls in each window: enough to see what is wrong. */
const FAILURE_LINES = { lines: 100, windowMs: 10_000 };

/** Logs, counts and traces what the server does. */
export function createObserver({ logger, metrics, tracing }: ObserverOptions): RpcObserver {
  const budget = new LineBudget(FAILURE_LINES);
  const log = (level: "debug" | "warn" | "error", message: string, fields: LogFields): void => {
    if (level === "debug") {
      logger.debug(message, fields);
      return;
    }
    const { granted, suppressed } = budget.take();
    if (suppressed > 0) logger.warn("more calls failed than were told", { calls: suppressed });
    if (granted) logger[level](message, fields);
  };
  return {
    onConnection: (peer) => {
      const ended = metrics?.connectionOpened(peer.transport);
      return (reason) => {
        ended?.(reason);
        log(levelOfConnectionEnd(reason), "connection ended", { peer: peerText(peer), reason });
      };
    },
    onRefusedConnection: () => {
      metrics?.connectionRefused();
      log("warn", "connection refused: there are too many", {});
    },
    onRequest: (head) => {
      if (head.surface === "http") return (end) => logPage(logger, head, end);
      metrics?.callBegan(head.path);
      const endSpan = tracing?.startCall(head.path, singleHeader(head, "traceparent"));
      return (end) => {
        const code = end.code ?? Code.Unknown;
        metrics?.callEnded({
          path: head.path,
          code: codeName(code),
          seconds: end.durationMs / 1000,
          bytesIn: end.bytesIn ?? 0,
          bytesOut: end.bytesOut ?? 0,
        });
        endSpan?.({ code, message: failureText(end.error) });
        log(levelOfCode(code), code === 0 ? "call" : "call failed", callFields(head, end, code));
      };
    },
  };
}

function logPage(logger: Logger, head: RequestHead, { httpStatus, durationMs }: RequestEnd): void {
  const { method, path, peer } = head;
  logger.debug("request", {
    method,
    path,
    status: httpStatus,
    ms: round(durationMs),
    peer: peerText(peer),
  });
}

function callFields(head: RequestHead, end: RequestEnd, code: Code | 0): LogFields {
  return {
    method: head.path.slice(1),
    code: codeName(code),
    ms: round(end.durationMs),
    surface: head.surface,
    peer: peerText(head.peer),
    bytesIn: end.bytesIn,
    bytesOut: end.bytesOut,
    reason: failureText(end.error),
  };
}

/** What happened, for the log and the span: with its causes, which the peer is not told. */
function failureText(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  const text = error instanceof ConnectError ? error.rawMessage : errorText(error);
  return error instanceof ConnectError && error.cause instanceof Error
    ? `${text}: ${errorText(error.cause)}`
    : text;
}

/**
 * Absence and cancellation are everyday answers. What the peer did wrong is a warning; what we did
 * wrong is an error.
 */
function levelOfCode(code: Code | 0): "debug" | "warn" | "error" {
  switch (code) {
    case 0:
    case Code.NotFound:
    case Code.Canceled:
      return "debug";
    case Code.Unknown:
    case Code.Internal:
    case Code.DataLoss:
    case Code.Unavailable:
      return "error";
    default:
      return "warn";
  }
}

function levelOfConnectionEnd(reason: ConnectionEnd): "debug" | "warn" {
  return reason === "closed" || reason === "idle" || reason === "shutdown" ? "debug" : "warn";
}

/** `not_found`; `ok` for success. */
function codeName(code: Code | 0): string {
  if (code === 0) return "ok";
  return Code[code].replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

function peerText({ transport, address, certificate }: Peer): string {
  if (transport === "unix") return "unix";
  const subject = certificate?.subject?.CN;
  return typeof subject === "string" ? `${address} (${subject})` : address;
}

function singleHeader({ headers }: RequestHead, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : value?.[0];
}

/** Milliseconds with three digits behind the point. */
function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000;
}
