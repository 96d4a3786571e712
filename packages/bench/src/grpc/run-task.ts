import { performance } from "node:perf_hooks";
import { B3Digest, type BlobService } from "@tvix/castore";
import type { BlobCalls } from "./calls.js";
import { openOurCalls } from "./our-calls.js";
import { openPeerCalls } from "./peer-calls.js";
import {
  type ClientResult,
  type ClientTask,
  inParallel,
  pieces,
  readContents,
  type Workload,
} from "./workload.js";

/** Calls made before those that count: with fewer, compiling decides. */
const WARM_CALLS = 2000;

/** What one execution of a workload works on. */
interface Material {
  readonly digest: Uint8Array;
  readonly contents: Uint8Array;
}

/**
 * Connects, does a part of the workload to warm up, then all of it.
 *
 * @throws Error when a call fails or its answer is not what it must be
 */
export async function runTask(task: ClientTask): Promise<ClientResult> {
  const open = task.side === "tvix" ? openOurCalls : openPeerCalls;
  const calls = await open(task.address);
  try {
    const warm = material(task.warmDigest, task.warmContents);
    const all = material(task.digest, task.contents);
    await execute(calls, shortened(task.workload, warm), warm);
    const started = performance.now();
    await execute(calls, task.workload, all);
    return { seconds: (performance.now() - started) / 1000 };
  } finally {
    await calls.close();
  }
}

function material(digest: string, file: string): Material {
  return { digest: Buffer.from(digest, "hex"), contents: readContents(file) };
}

/** The workload to warm up with. What is stored is as long as its file, which is a short one. */
function shortened(workload: Workload, { contents }: Material): Workload {
  switch (workload.kind) {
    case "stat":
      return { ...workload, calls: WARM_CALLS };
    case "read":
    case "read-verified":
      return { ...workload, bytes: contents.byteLength };
    default:
      return workload;
  }
}

async function execute(calls: BlobCalls, workload: Workload, material: Material): Promise<void> {
  const { digest, contents } = material;
  switch (workload.kind) {
    case "stat":
      return inParallel(Array(workload.calls).fill(digest), workload.parallel, (one) =>
        calls.stat(one),
      );
    case "put":
      return expectDigest(await calls.put(pieces(contents, workload.messageBytes)), digest);
    case "read":
      return expectLength(await calls.read(digest), workload.bytes);
    case "put-each":
      return inParallel(pieces(contents, workload.blobBytes), workload.parallel, (blob) =>
        calls.put([blob]),
      );
    case "put-batches":
      await libraryOf(calls).putMany([...pieces(contents, workload.blobBytes)]);
      return;
    case "put-verified": {
      const stored = await libraryOf(calls).put(pieces(contents, workload.messageBytes));
      return expectDigest(stored.toBytes(), digest);
    }
    case "read-verified":
      return expectLength(await readVerified(libraryOf(calls), digest), workload.bytes);
  }
}

function libraryOf({ blobs }: BlobCalls): BlobService {
  if (blobs === undefined) throw new Error("Cannot run the workload: the peer has no such client");
  return blobs;
}

async function readVerified(blobs: BlobService, digest: Uint8Array): Promise<number> {
  const reader = await blobs.openRead(B3Digest.fromBytes(new Uint8Array(digest)));
  let length = 0;
  for await (const piece of reader?.stream() ?? []) length += piece.byteLength;
  return length;
}

function expectDigest(actual: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(actual, expected) !== 0) {
    throw new Error("Cannot measure: the server answers with another digest");
  }
}

function expectLength(actual: number, expected: number): void {
  if (actual !== expected) {
    throw new Error(`Cannot measure: ${actual} bytes came, not ${expected}`);
  }
}
