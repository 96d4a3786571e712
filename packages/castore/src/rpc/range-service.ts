import type { ConnectRouter, HandlerContext, ServiceImpl } from "@connectrpc/connect";
import { RangeService, type ReadSliceRequest } from "@tvix/protos/range";
import type { BlobService } from "../blobservice/blob-service.js";
import { notFound } from "./blob-not-found.js";
import { digestField } from "./digest-field.js";
import { answerStream, type RpcOptions } from "./handler-call.js";

/** A store that proves parts of blobs. */
type SlicingService = BlobService & Required<Pick<BlobService, "slice">>;

/**
 * Serves `tvix.castore.range.v1`, with which a client checks parts of blobs against the digest of the whole. Serves
 * nothing where `blobs` does not prove parts: clients then go on with chunks.
 */
export function registerRangeService(
  router: ConnectRouter,
  blobs: BlobService,
  options: RpcOptions = {},
): void {
  if (!canSlice(blobs)) return;
  const implementation: ServiceImpl<typeof RangeService> = {
    readSlice: (request, context) =>
      answerStream(context, options, readSlice(blobs, request, context)),
  };
  router.service(RangeService, implementation);
}

async function* readSlice(
  blobs: SlicingService,
  request: ReadSliceRequest,
  { signal }: HandlerContext,
) {
  const digest = digestField(request.digest);
  const range = { offset: toNumber(request.offset), length: toNumber(request.length) };
  const slice = await blobs.slice(digest, range, { signal });
  if (slice === undefined) throw notFound(digest);
  for await (const data of slice) yield { data };
}

function canSlice(blobs: BlobService): blobs is SlicingService {
  return blobs.slice !== undefined;
}

/** More than a number can hold is past the end of any blob. */
function toNumber(value: bigint): number {
  return Number(value > Number.MAX_SAFE_INTEGER ? Number.MAX_SAFE_INTEGER : value);
}
