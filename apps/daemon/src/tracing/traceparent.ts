import type { SpanContext } from "@opentelemetry/api";

/** `traceparent` of W3C Trace Context level 1, §3.2: version, trace id, parent id, flags. */
const TRACEPARENT =
  /^(?<version>[0-9a-f]{2})-(?<trace>[0-9a-f]{32})-(?<parent>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?<rest>-.*)?$/;

/** The span of the caller; `undefined` when the header is absent or not sound. */
export function parseTraceparent(header: string | undefined): SpanContext | undefined {
  const { version, trace, parent, flags, rest } = TRACEPARENT.exec(header ?? "")?.groups ?? {};
  if (trace === undefined || parent === undefined || flags === undefined) return undefined;
  // Version 255 is invalid, version 0 ends here; later ones may go on.
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(trace) || /^0+$/.test(parent)) return undefined;
  return {
    traceId: trace,
    spanId: parent,
    traceFlags: Number.parseInt(flags, 16) & 1,
    isRemote: true,
  };
}
