import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registerBlobService } from "@tvix/castore/rpc";
import { createRpcServer } from "@tvix/grpc";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { DiscardingBlobService, digestOfLength } from "./discarding-blobs.js";
import { startPeerServer } from "./peer-server.js";
import { runTask } from "./run-task.js";
import type { ClientTask, Side, Workload } from "./workload.js";

/** A busy machine takes its time for thousands of calls. */
vi.setConfig({ testTimeout: 60_000 });

const BYTES = 100_000;
const folder = mkdtempSync(join(tmpdir(), "tvix-bench-test-"));
const file = join(folder, "contents");
const addresses: Record<Side, string> = { tvix: "", "grpc-js": "" };
const blobs = new DiscardingBlobService();
const server = createRpcServer({ routes: (router) => registerBlobService(router, blobs) });
let stopPeer = (): void => {};

beforeAll(async () => {
  writeFileSync(file, new Uint8Array(BYTES));
  const bound = await server.listen({ host: "127.0.0.1", port: 0 });
  addresses.tvix = `127.0.0.1:${"port" in bound ? bound.port : 0}`;
  const peer = await startPeerServer(blobs);
  addresses["grpc-js"] = peer.address;
  stopPeer = peer.stop;
});

afterAll(async () => {
  stopPeer();
  await server.close();
  rmSync(folder, { recursive: true });
});

function task(side: Side, workload: Workload, bytes: number = BYTES): ClientTask {
  return {
    side,
    address: addresses[side],
    digest: Buffer.from(digestOfLength(bytes).toBytes()).toString("hex"),
    warmDigest: Buffer.from(digestOfLength(BYTES).toBytes()).toString("hex"),
    contents: file,
    warmContents: file,
    workload,
  };
}

const WORKLOADS: readonly Workload[] = [
  { kind: "stat", calls: 20, parallel: 4 },
  { kind: "put", messageBytes: 30_000 },
  { kind: "read", bytes: BYTES },
  { kind: "put-each", blobBytes: 5000, parallel: 3 },
];

describe("runTask()", () => {
  const sides: readonly Side[] = ["tvix", "grpc-js"];

  it.each(sides.flatMap((side) => WORKLOADS.map((workload) => ({ side, workload }))))(
    "measures $workload.kind of $side",
    async ({ side, workload }) => {
      const { seconds } = await runTask(task(side, workload));
      expect(seconds).toBeGreaterThan(0);
    },
  );

  it.each(sides)("%s: fails when other bytes were stored than sent, or come", async (side) => {
    const put = runTask(task(side, { kind: "put", messageBytes: 1000 }, BYTES + 1));
    await expect(put).rejects.toThrow("another digest");
    const read = runTask(task(side, { kind: "read", bytes: BYTES + 1 }));
    await expect(read).rejects.toThrow(`${BYTES} bytes came, not ${BYTES + 1}`);
  });
});
