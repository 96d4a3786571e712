import { describe, expect, it } from "vitest";
import { parseTraceparent } from "./traceparent.js";
import { startTracing, wantsTraces } from "./tracing.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";

describe("parseTraceparent()", () => {
  it.each([
    [`00-${TRACE}-${SPAN}-01`, 1],
    [`00-${TRACE}-${SPAN}-00`, 0],
    [`00-${TRACE}-${SPAN}-ff`, 1],
    [`01-${TRACE}-${SPAN}-01-more`, 1],
  ])("reads %s", (header, traceFlags) => {
    expect(parseTraceparent(header)).toEqual({
      traceId: TRACE,
      spanId: SPAN,
      traceFlags,
      isRemote: true,
    });
  });

  it.each([
    undefined,
    "",
    `00-${TRACE}-${SPAN}`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${"0".repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-1`,
  ])("refuses %j", (header) => {
    expect(parseTraceparent(header)).toBeUndefined();
  });
});

describe("wantsTraces()", () => {
  it.each<[Record<string, string>, boolean]>([
    [{}, false],
    [{ OTEL_SERVICE_NAME: "x" }, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "" }, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "http://h:4318" }, true],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://h:4318/v1/traces" }, true],
    [{ OTEL_TRACES_EXPORTER: "otlp" }, true],
    [{ OTEL_TRACES_EXPORTER: "none", OTEL_EXPORTER_OTLP_ENDPOINT: "http://h:4318" }, false],
    [{ OTEL_TRACES_EXPORTER: "otlp", OTEL_SDK_DISABLED: "TRUE" }, false],
  ])("says of %j: %s", (env, expected) => {
    expect(wantsTraces(env)).toBe(expected);
  });
});

describe("startTracing()", () => {
  it("does nothing unless it is asked to", async () => {
    expect(await startTracing({}, "0")).toBeUndefined();
  });

  it("refuses another protocol", async () => {
    const env = { OTEL_TRACES_EXPORTER: "otlp", OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" };
    await expect(startTracing(env, "0")).rejects.toThrow(
      'Cannot send traces by "grpc": only http/protobuf is known',
    );
  });
});
