import { describe, expect, it } from "vitest";
import { Metrics } from "./metrics.js";

const METHOD = "/tvix.castore.v1.BlobService/Put";

function open() {
  const counters = {
    added: { records: 1, rawBytes: 2, storedBytes: 3 },
    known: { records: 4, rawBytes: 5, storedBytes: 6 },
  };
  const metrics = new Metrics({ methods: [METHOD], storeCounters: () => counters, version: "1.2" });
  const lines = async () => (await metrics.text()).split("\n");
  return { metrics, counters, lines };
}

describe("Metrics", () => {
  it("has every series before anything happens", async () => {
    const { lines } = open();
    expect(await lines()).toEqual(
      expect.arrayContaining([
        'tvix_rpc_calls_total{method="tvix.castore.v1.BlobService/Put",code="ok"} 0',
        'tvix_rpc_calls_total{method="unknown",code="ok"} 0',
        'tvix_connections{transport="unix"} 0',
        'tvix_build_info{version="1.2"} 1',
      ]),
    );
    expect((await lines()).some((line) => line.startsWith("process_resident_memory_bytes "))).toBe(
      true,
    );
  });

  it("counts calls by method and code, bytes and durations", async () => {
    const { metrics, lines } = open();
    metrics.callBegan(METHOD);
    expect(await lines()).toContain(
      'tvix_rpc_running_calls{method="tvix.castore.v1.BlobService/Put"} 1',
    );
    metrics.callEnded({ path: METHOD, code: "data_loss", seconds: 0.02, bytesIn: 7, bytesOut: 8 });
    expect(await lines()).toEqual(
      expect.arrayContaining([
        'tvix_rpc_running_calls{method="tvix.castore.v1.BlobService/Put"} 0',
        'tvix_rpc_calls_total{method="tvix.castore.v1.BlobService/Put",code="data_loss"} 1',
        'tvix_rpc_duration_seconds_bucket{le="0.05",method="tvix.castore.v1.BlobService/Put"} 1',
        'tvix_rpc_duration_seconds_bucket{le="0.01",method="tvix.castore.v1.BlobService/Put"} 0',
        'tvix_rpc_received_bytes_total{method="tvix.castore.v1.BlobService/Put"} 7',
        'tvix_rpc_sent_bytes_total{method="tvix.castore.v1.BlobService/Put"} 8',
      ]),
    );
  });

  it("makes no series of what peers call", async () => {
    const { metrics, lines } = open();
    const before = (await lines()).length;
    for (const path of ["/x/y", "/x/z", "/tvix.castore.v1.BlobService/put"]) {
      metrics.callBegan(path);
      metrics.callEnded({ path, code: "ok", seconds: 0, bytesIn: 0, bytesOut: 0 });
    }
    const text = await metrics.text();
    expect(text).toContain('tvix_rpc_calls_total{method="unknown",code="ok"} 3');
    expect(text).not.toContain("BlobService/put");
    expect((await lines()).length).toBeLessThan(before + 20);
  });

  it("counts connections", async () => {
    const { metrics, lines } = open();
    const ended = metrics.connectionOpened("tcp");
    metrics.connectionOpened("tcp");
    ended("idle");
    metrics.connectionRefused();
    expect(await lines()).toEqual(
      expect.arrayContaining([
        'tvix_connections_total{transport="tcp"} 2',
        'tvix_connections{transport="tcp"} 1',
        'tvix_connections_ended_total{reason="idle"} 1',
        "tvix_connections_refused_total 1",
      ]),
    );
  });

  it("takes over what the store has counted", async () => {
    const { counters, lines } = open();
    expect(await lines()).toContain('tvix_store_records_total{state="added"} 1');
    counters.added.records = 10;
    expect(await lines()).toEqual(
      expect.arrayContaining([
        'tvix_store_records_total{state="added"} 10',
        'tvix_store_raw_bytes_total{state="known"} 5',
        'tvix_store_stored_bytes_total{state="added"} 3',
      ]),
    );
  });
});
