import type { Side, Workload } from "./workload.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const GIB = 1024 * MIB;

/** What is uploaded and downloaded in one call. */
export const LARGE_BYTES: number = GIB;

/** What it is warmed up with: as much as it takes until times stay the same. */
export const WARM_LARGE_BYTES: number = 64 * MIB;

/** Length of a small blob. */
export const BLOB_BYTES: number = 4 * KIB;
const BLOBS = 10_000;

/** Contents of all small blobs together. */
export const SMALL_BYTES: number = BLOBS * BLOB_BYTES;

/** What is stored of them to warm up. */
export const WARM_SMALL_BYTES: number = 2000 * BLOB_BYTES;

/** What our server puts into one message of a Read, too. */
const MESSAGE_BYTES = MIB;

/** Calls of Stat, one by one and many at a time: each takes about as long. */
const SINGLE_STATS = 5000;
const PARALLEL_STATS = 20_000;

/** What a server of a row serves: a store that keeps nothing, an empty one, or one with the large blob. */
export type StoreKind = "discarding" | "fresh" | "filled";

export type RowId =
  | "put"
  | "read"
  | "stat-1"
  | "stat-16"
  | "stat-64"
  | "store-put"
  | "store-read"
  | "store-stat-1"
  | "store-stat-16"
  | "store-stat-64"
  | "store-puts"
  | "store-batches"
  | "store-put-verified"
  | "store-read-verified";

/** What one row of the table measures. */
export interface Row {
  readonly id: RowId;
  readonly title: string;
  readonly store: StoreKind;
  /** How much is done, in `unit`s: divided by the time, it is the figure. */
  readonly amount: number;
  readonly unit: "MiB" | "calls" | "blobs";
  /** What each client does; the peer has none of its own where its figure is that of another row. */
  readonly workloads: Readonly<Partial<Record<Side, Workload>>>;
  /**
   * The row whose calls the peer makes for the same result. Our client does more there: it verifies what it
   * sends and receives.
   */
  readonly peerRow?: RowId;
}

const PUT: Workload = { kind: "put", messageBytes: MESSAGE_BYTES };
const READ: Workload = { kind: "read", bytes: LARGE_BYTES };
const PUT_EACH: Workload = { kind: "put-each", blobBytes: BLOB_BYTES, parallel: 64 };

const LARGE = { amount: LARGE_BYTES / MIB, unit: "MiB" } as const;
const SMALL = { amount: BLOBS, unit: "blobs" } as const;

/** All rows, in the order of the table. */
export const ROWS: readonly Row[] = [
  { id: "put", title: "Put, 1 GiB", store: "discarding", ...LARGE, workloads: both(PUT) },
  { id: "read", title: "Read, 1 GiB", store: "discarding", ...LARGE, workloads: both(READ) },
  ...statRows("discarding"),
  { id: "store-put", title: "Put, 1 GiB", store: "fresh", ...LARGE, workloads: both(PUT) },
  { id: "store-read", title: "Read, 1 GiB", store: "filled", ...LARGE, workloads: both(READ) },
  ...statRows("filled"),
  {
    id: "store-puts",
    title: "10,000 Puts of 4 KiB, 64 at a time",
    store: "fresh",
    ...SMALL,
    workloads: both(PUT_EACH),
  },
  {
    id: "store-batches",
    title: "10,000 blobs of 4 KiB: `putMany` against Puts, 64 at a time",
    store: "fresh",
    ...SMALL,
    workloads: { tvix: { kind: "put-batches", blobBytes: BLOB_BYTES } },
    peerRow: "store-puts",
  },
  {
    id: "store-put-verified",
    title: "1 GiB: `put` against Put",
    store: "fresh",
    ...LARGE,
    workloads: { tvix: { kind: "put-verified", messageBytes: MESSAGE_BYTES } },
    peerRow: "store-put",
  },
  {
    id: "store-read-verified",
    title: "1 GiB: `openRead` against Read",
    store: "filled",
    ...LARGE,
    workloads: { tvix: { kind: "read-verified", bytes: LARGE_BYTES } },
    peerRow: "store-read",
  },
];

function both(workload: Workload): Row["workloads"] {
  return { tvix: workload, "grpc-js": workload };
}

function statRows(store: "discarding" | "filled"): Row[] {
  return ([1, 16, 64] as const).map((parallel) => {
    const calls = parallel === 1 ? SINGLE_STATS : PARALLEL_STATS;
    return {
      id: store === "discarding" ? `stat-${parallel}` : `store-stat-${parallel}`,
      title: parallel === 1 ? "Stat, one by one" : `Stat, ${parallel} at a time`,
      store,
      amount: calls,
      unit: "calls",
      workloads: both({ kind: "stat", calls, parallel }),
    };
  });
}
