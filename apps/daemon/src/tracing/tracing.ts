/** How a call ended, for its span. */
interface SpanEnd {
  /** Number of the gRPC status. */
  readonly code: number;
  readonly message?: string | undefined;
}

/** Records spans of calls. */
export interface Tracing {
  /**
   * Begins the span of a call.
   *
   * @param path - `/SERVICE/METHOD`
   * @param traceparent - header of that name, which says whose span this belongs to
   * @returns ends the span
   */
  startCall(path: string, traceparent: string | undefined): (end: SpanEnd) => void;
  /** Sends what was recorded. */
  close(): Promise<void>;
}

/** Whether the standard variables of OpenTelemetry ask for traces. */
export function wantsTraces(env: Readonly<Record<string, string | undefined>>): boolean {
  if (env["OTEL_SDK_DISABLED"]?.toLowerCase() === "true") return false;
  const exporter = env["OTEL_TRACES_EXPORTER"];
  if (exporter !== undefined && exporter !== "") return exporter.split(",").includes("otlp");
  return [env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"], env["OTEL_EXPORTER_OTLP_ENDPOINT"]].some(
    (endpoint) => endpoint !== undefined && endpoint !== "",
  );
}

/** The only protocol that is spoken here. */
const PROTOCOL = "http/protobuf";

/**
 * Starts tracing as the `OTEL_*` variables say (endpoint, headers, sampler, batches, resource); loads
 * nothing of OpenTelemetry unless they ask for it.
 *
 * @param onError - called when traces cannot be sent; nothing else happens then
 * @returns `undefined` when they do not
 */
export async function startTracing(
  env: Readonly<Record<string, string | undefined>>,
  version: string,
): Promise<Tracing | undefined> {
  if (!wantsTraces(env)) return undefined;
  const protocol =
    env["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"] ?? env["OTEL_EXPORTER_OTLP_PROTOCOL"] ?? PROTOCOL;
  if (protocol !== PROTOCOL) {
    throw new Error(`Cannot send traces by ${JSON.stringify(protocol)}: only ${PROTOCOL} is known`);
  }
  const { openTracing } = await import("./opentelemetry.js");
  return openTracing(version);
}
