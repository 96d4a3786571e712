import type { ConnectRouter, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { RangeService, type ReadSliceRequest, type ReadTreeRequest } from "@tvix/protos/range";
import { pageCount } from "../bao/outboard.js";
import { TreeShape } from "../bao/tree-shape.js";
import type { BlobService } from "../blobservice/blob-service.js";
import { sliceOf } from "../blobservice/blob-slice.js";
import { CastoreError } from "../errors.js";
import { notFound } from "./blob-not-found.js";
import { digestField } from "./digest-field.js";
import { answer, answerStream, type RpcOptions } from "./handler-call.js";
import { PEER_MESSAGE_BYTES } from "./limits.js";

/** A store that proves parts of blobs. */
type ProvingService = BlobService & Required<Pick<BlobService, "tree">>;

/** Bytes of an answer besides the parents, at most. */
const ANSWER_BYTES = 16;

/**
 * Serves `tvix.castore.range.v1`, with which a client checks parts of blobs against the digest of the whole. Serves
 * nothing where `blobs` does not prove parts: clients then go on with chunks.
 */
export function registerRangeService(
  router: ConnectRouter,
  blobs: BlobService,
  options: RpcOptions = {},
): void {
  if (!canProve(blobs)) return;
  const implementation: ServiceImpl<typeof RangeService> = {
    readSlice: (request, context) =>
      answerStream(context, options, readSlice(blobs, request, context)),
    readTree: (request, context) =>
      answer(context, options, () => readTree(blobs, request, context)),
  };
  router.service(RangeService, implementation);
}

async function* readSlice(
  blobs: ProvingService,
  request: ReadSliceRequest,
  { signal }: HandlerContext,
) {
  const digest = digestField(request.digest);
  const range = { offset: toNumber(request.offset), length: toNumber(request.length) };
  const tree = await blobs.tree(digest, { signal });
  const reader = tree && (await blobs.openRead(digest, { signal }));
  if (tree === undefined || reader === undefined) throw notFound(digest);
  for await (const data of sliceOf(digest, { reader, tree }, range, { signal })) yield { data };
}

async function readTree(
  blobs: ProvingService,
  request: ReadTreeRequest,
  { signal }: HandlerContext,
) {
  const digest = digestField(request.digest);
  const tree = await blobs.tree(digest, { signal });
  if (tree === undefined) throw notFound(digest);
  const page = request.pagePlusOne - 1;
  if (page >= pageCount(new TreeShape(tree.length, tree.groupLog))) {
    throw new CastoreError("INVALID_ARGUMENT", `Cannot read page ${page} of a tree: it has fewer`);
  }
  const parents = page < 0 ? tree.top : await tree.page(page, signal);
  if (parents.byteLength > PEER_MESSAGE_BYTES - ANSWER_BYTES) {
    throw new CastoreError(
      "UNSUPPORTED",
      `Cannot send the tree of blob ${digest}: it is too large`,
    );
  }
  return { parents, length: BigInt(tree.length) };
}

function canProve(blobs: BlobService): blobs is ProvingService {
  return blobs.tree !== undefined;
}

/** More than a number can hold is past the end of any blob. */
function toNumber(value: bigint): number {
  return Number(value > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : value);
}
