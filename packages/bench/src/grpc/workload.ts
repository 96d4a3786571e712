import { readFileSync } from "node:fs";

/** The programs that are compared. */
export type Side = "tvix" | "grpc-js";

/** What a client does and how much of it. All of it is one measurement. */
export type Workload =
  /** `Stat` of one blob, again and again, `parallel` calls at a time. */
  | { readonly kind: "stat"; readonly calls: number; readonly parallel: number }
  /** One `Put` of all contents, in messages of `messageBytes`. */
  | { readonly kind: "put"; readonly messageBytes: number }
  /** One `Read` of a blob of `bytes`; the bytes are counted. */
  | { readonly kind: "read"; readonly bytes: number }
  /** A `Put` for each piece of `blobBytes` of the contents, `parallel` calls at a time. */
  | { readonly kind: "put-each"; readonly blobBytes: number; readonly parallel: number }
  /** The same blobs by `putMany` of our client: digests computed, what is missing asked for, sent in batches. */
  | { readonly kind: "put-batches"; readonly blobBytes: number }
  /** One `put` of our client: digest computed, cut into chunks, those that are missing sent. */
  | { readonly kind: "put-verified"; readonly messageBytes: number }
  /** One whole `stream` of our client: every chunk and the whole verified. */
  | { readonly kind: "read-verified"; readonly bytes: number };

/** What a process of a client is told on its command line, as JSON. */
export interface ClientTask {
  readonly side: Side;
  /** `HOST:PORT` of the server. */
  readonly address: string;
  /** The blob that is asked for, in hexadecimal. */
  readonly digest: string;
  /** A blob like it but shorter, to warm up with. */
  readonly warmDigest: string;
  /** File with what is stored; empty where nothing is. */
  readonly contents: string;
  /** File with what is stored to warm up. */
  readonly warmContents: string;
  readonly workload: Workload;
}

/** What it prints in the end, as JSON. */
export interface ClientResult {
  readonly seconds: number;
}

/** @throws Error when the argument is not a task */
export function parseTask(json: string | undefined): ClientTask {
  const task = parseObject(json ?? "");
  const texts = ["side", "address", "digest", "warmDigest", "contents", "warmContents"];
  const isTask =
    texts.every((name) => typeof task[name] === "string") && typeof task["workload"] === "object";
  if (!isTask) throw new Error(`Cannot read the task of a client: ${json}`);
  return task as unknown as ClientTask;
}

/** @throws Error when a client printed anything but a result */
export function parseResult(printed: string): ClientResult {
  const { seconds } = parseObject(printed);
  if (typeof seconds !== "number" || !(seconds > 0)) {
    throw new Error(`Cannot read the result of a client: ${printed}`);
  }
  return { seconds };
}

function parseObject(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    // Whoever asked says what is wrong, with the text.
    return {};
  }
}

/** The bytes of a file, which is read at once: how fast is not the question. */
export function readContents(file: string): Uint8Array {
  if (file === "") return new Uint8Array(0);
  const { buffer, byteOffset, byteLength } = readFileSync(file);
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** Consecutive views of `contents` of at most `length` bytes. */
export function* pieces(contents: Uint8Array, length: number): Generator<Uint8Array> {
  for (let at = 0; at < contents.byteLength; at += length) {
    yield contents.subarray(at, at + length);
  }
}

/** Runs `work` for each item, `parallel` at a time. */
export async function inParallel<T>(
  items: Iterable<T>,
  parallel: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const source = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let item = source.next(); item.done !== true; item = source.next()) {
      await work(item.value);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}
