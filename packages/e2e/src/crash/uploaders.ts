import { GrpcBlobService, GrpcDirectoryService } from "@tvix/castore/grpc";
import { openRpcChannel, type RpcChannel } from "@tvix/grpc";
import { GrpcPathInfoService } from "@tvix/store/grpc";
import type { Daemon } from "../daemon/start-daemon.js";
import { Stranger } from "../daemon/stranger.js";
import { foreignBlob, manyBlobs, streamedBlob } from "./blob-uploads.js";
import { type TreeServices, treeUploads } from "./tree-uploads.js";
import type { Upload } from "./upload.js";

/** Seeds of the contents of one round; no two contents have the same. */
const SEEDS_PER_ROUND = 10_000;

/** More than one upload takes. */
const SEEDS_PER_UPLOAD = 100;

/** Longer than what our client may have on its way: it waits for the server to store some of it. */
const LONG_BYTES = 10_000_000;

/** Every so many rounds there is one of those. */
const LONG_EVERY = 4;

/** Small blobs of one call, and one that is cut into chunks. */
const BATCH: readonly number[] = [...Array.from({ length: 30 }, (_, i) => i * 500), 400_000];

/** Clients that live through many daemons, ours and others, at both addresses. */
export class Uploaders {
  readonly #channels: readonly RpcChannel[];
  readonly #near: TreeServices;
  readonly #far: GrpcBlobService;
  readonly #strangers: readonly [Stranger, Stranger];

  constructor({ host, port, socketPath }: Daemon) {
    // Nothing here is about waiting.
    const quick = { minBackoffMs: 50, maxBackoffMs: 100 };
    const unix = openRpcChannel({ transport: "unix", path: socketPath }, quick);
    const tcp = openRpcChannel(`grpc+http://${host}:${port}`, quick);
    this.#channels = [unix, tcp];
    this.#near = {
      blobs: new GrpcBlobService(unix.transport),
      directories: new GrpcDirectoryService(unix.transport),
      pathInfos: new GrpcPathInfoService(unix.transport),
    };
    this.#far = new GrpcBlobService(tcp.transport);
    const foreignQuick = { "grpc.initial_reconnect_backoff_ms": 50 };
    this.#strangers = [
      new Stranger(`unix:${socketPath}`, foreignQuick),
      new Stranger(`${host}:${port}`, foreignQuick),
    ];
  }

  /** What each of them uploads in a round, one after the other; nothing of it in another round. */
  async plan(round: number): Promise<readonly (readonly Upload[])[]> {
    let seed = round * SEEDS_PER_ROUND;
    const next = (): number => {
      seed += SEEDS_PER_UPLOAD;
      return seed;
    };
    const [foreignNear, foreignFar] = this.#strangers;
    return [
      [150_000, round % LONG_EVERY === 1 ? LONG_BYTES : 1_000_000].map((bytes) =>
        streamedBlob(this.#near.blobs, next(), bytes),
      ),
      [300_000, 2_000_000].map((bytes) => streamedBlob(this.#far, next(), bytes)),
      [1, 2, 3, 4].map(() => manyBlobs(this.#far, next(), BATCH)),
      await treeUploads(this.#near, next()),
      [10, 2_000_000, 50_000].map((bytes) => foreignBlob(foreignNear, next(), bytes)),
      [1000, 0, 5000, 300_000, 70_000, 2].map((bytes) => foreignBlob(foreignFar, next(), bytes)),
    ];
  }

  async close(): Promise<void> {
    for (const channel of this.#channels) await channel.close();
    for (const stranger of this.#strangers) stranger.close();
  }
}
