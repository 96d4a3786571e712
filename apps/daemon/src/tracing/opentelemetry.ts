import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { parseTraceparent } from "./traceparent.js";
import type { Tracing } from "./tracing.js";

/**
 * Traces by the SDK, which reads the `OTEL_*` variables itself. Loaded only when they ask for it.
 * Attribute names are those of the semantic conventions for RPC.
 */
export function openTracing(version: string): Tracing {
  const own = resourceFromAttributes({ "service.name": "tvix-daemon", "service.version": version });
  const fromVariables = detectResources({ detectors: [envDetector] });
  const provider = new NodeTracerProvider({
    resource: defaultResource().merge(own).merge(fromVariables),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  const tracer = provider.getTracer("@tvix/daemon", version);
  return {
    startCall: (path, traceparent) => {
      const parent = parseTraceparent(traceparent);
      const context =
        parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, parent);
      const [, service = "", method = ""] = path.split("/");
      const span = tracer.startSpan(
        path.slice(1),
        {
          kind: SpanKind.SERVER,
          attributes: { "rpc.system": "grpc", "rpc.service": service, "rpc.method": method },
        },
        context,
      );
      return ({ code, message }) => {
        span.setAttribute("rpc.grpc.status_code", code);
        if (isServerFault(code)) {
          span.setStatus({
            code: SpanStatusCode.ERROR,
            ...(message === undefined ? {} : { message }),
          });
        }
        span.end();
      };
    },
    close: () => provider.shutdown(),
  };
}

/**
 * Statuses that mark the span of a server as failed, by the semantic conventions for gRPC: Unknown,
 * DeadlineExceeded, Unimplemented, Internal, Unavailable, DataLoss.
 */
function isServerFault(code: number): boolean {
  return [2, 4, 12, 13, 14, 15].includes(code);
}
