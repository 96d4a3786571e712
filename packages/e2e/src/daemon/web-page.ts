/** What the test has a browser do: the same calls by each protocol that a browser can speak. */
import {
  Code,
  ConnectError,
  createClient,
  type Interceptor,
  type Transport,
} from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";
import { blake3, concatBytes } from "@tvix/castore";
import { BatchService } from "@tvix/protos/batch";
import { BlobService, DirectoryService } from "@tvix/protos/castore";
import { PathInfoService } from "@tvix/protos/store";

/** What one protocol could do. */
export interface WebReport {
  readonly putDigest: string;
  readonly chunks: number;
  readonly messages: number;
  readonly readDigest: string;
  readonly directories: number;
  readonly pathInfos: number;
  readonly narSize: string;
  readonly codes: readonly string[];
  readonly canceled: string;
}

/** How a request to a daemon that lets no page of another origin call ended. */
export type OtherOrigin = "refused" | "answered";

const CONTENT_BYTES = 3_000_000;

function content(): Uint8Array {
  const data = new Uint8Array(CONTENT_BYTES);
  for (let i = 0, state = 1; i < data.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    data[i] = state >>> 24;
  }
  return data;
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => "OK",
    (error: unknown) => Code[ConnectError.from(error).code] ?? "",
  );
}

async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of stream) all.push(item);
  return all;
}

async function cancelMidway(transport: Transport, digest: Uint8Array): Promise<string> {
  const controller = new AbortController();
  const { signal } = controller;
  const read = async (): Promise<void> => {
    for await (const _ of createClient(BlobService, transport).read({ digest }, { signal })) {
      controller.abort();
    }
  };
  return await codeOf(read());
}

async function run(transport: Transport): Promise<WebReport> {
  const blobs = createClient(BlobService, transport);
  const directories = createClient(DirectoryService, transport);
  const pathInfos = createClient(PathInfoService, transport);
  const { digests } = await createClient(BatchService, transport).putBlobs({
    contents: [content()],
  });
  const digest = digests[0] ?? new Uint8Array();
  const { chunks } = await blobs.stat({ digest, sendChunks: true });
  const messages = await collect(blobs.read({ digest }));
  const absent = new Uint8Array(32).fill(7);
  const byWhat = { case: "digest", value: absent } as const;
  const file = { digest, size: BigInt(CONTENT_BYTES) };
  const { narSize } = await pathInfos.calculateNAR({ node: { case: "file", value: file } });
  return {
    putDigest: blake3(content()).equalsBytes(digest) ? "right" : "wrong",
    chunks: chunks.length,
    messages: messages.length,
    readDigest: blake3(concatBytes(messages.map(({ data }) => data))).equalsBytes(digest)
      ? "right"
      : "wrong",
    directories: (await collect(directories.get({ byWhat, recursive: true }))).length,
    pathInfos: (await collect(pathInfos.list({}))).length,
    narSize: String(narSize),
    codes: [
      await codeOf(blobs.stat({ digest: absent })),
      await codeOf(blobs.stat({ digest: new Uint8Array(31) })),
      await codeOf(collect(blobs.read({ digest: absent }))),
      await codeOf(collect(directories.get({ byWhat }))),
    ],
    canceled: await cancelMidway(transport, digest),
  };
}

/** Daemons of other origins: one that lets no page call, and one that lets this one, with a token. */
interface Others {
  readonly refusing: string;
  readonly open: string;
  readonly token: string;
}

async function otherOrigin(baseUrl: string): Promise<OtherOrigin> {
  return await createClient(BlobService, createGrpcWebTransport({ baseUrl }))
    .stat({ digest: new Uint8Array(32) })
    .then(
      () => "answered",
      (error: unknown) =>
        ConnectError.from(error).code === Code.NotFound ? "answered" : "refused",
    );
}

/** What the server says of the length of a blob, in a header that pages see only if they are let. */
async function blobSize(transport: Transport): Promise<string | null> {
  const contents = [new TextEncoder().encode("12345")];
  const { digests } = await createClient(BatchService, transport).putBlobs({ contents });
  const [digest = new Uint8Array()] = digests;
  let size: string | null = null;
  const onHeader = (header: Headers) => {
    size = header.get("tvix-blob-size");
  };
  await createClient(BlobService, transport).stat({ digest, sendChunks: true }, { onHeader });
  return size;
}

async function report(): Promise<unknown> {
  const baseUrl = location.origin;
  const others: Others = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  const withToken: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${others.token}`);
    return next(request);
  };
  const other = { baseUrl: others.open, interceptors: [withToken] };
  const anonymous = createGrpcWebTransport({ baseUrl: others.open });
  return {
    grpcWeb: await run(createGrpcWebTransport({ baseUrl })),
    grpcWebJson: await run(createGrpcWebTransport({ baseUrl, useBinaryFormat: false })),
    connect: await run(createConnectTransport({ baseUrl, useBinaryFormat: true })),
    otherGrpcWeb: await run(createGrpcWebTransport(other)),
    otherConnect: await run(createConnectTransport({ ...other, useBinaryFormat: true })),
    otherOrigin: await otherOrigin(others.refusing),
    withoutToken: await codeOf(createClient(BlobService, anonymous).stat({})),
    blobSize: await blobSize(createConnectTransport(other)),
  };
}

const outcome = await report().catch((error: unknown) => ({ error: String(error) }));
await fetch("/report", { method: "POST", body: JSON.stringify(outcome) });
