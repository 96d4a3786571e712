import { ERRNO, type Errno } from "../errno.js";
import type { FileSystem, Result } from "../file-system.js";
import { decodeRead, type ReadRequest } from "../protocol/files.js";
import { MAX_LISTING_SIZE } from "../protocol/limits.js";
import { ListingWriter } from "../protocol/listing.js";
import { type Exchange, MUST_NOT_WAIT } from "./exchange.js";
import type { Operation } from "./operation.js";
import { SpareBuffers } from "./spare-buffers.js";

const BUFFERS = new SpareBuffers();

/** READDIR */
export const READDIR: Operation<ReadRequest, ListingWriter> = listing(false);

/** READDIRPLUS */
export const READDIRPLUS: Operation<ReadRequest, ListingWriter> = listing(true);

function listing(wantsEntries: boolean): Operation<ReadRequest, ListingWriter> {
  return {
    replySize: 0,
    decode: decodeRead,
    weigh: ({ size }) => Math.min(size, MAX_LISTING_SIZE),
    call: (fileSystem, exchange, request) => list(fileSystem, exchange, request, wantsEntries),
    reply(exchange, writer) {
      const items = writer.close();
      exchange.answerData([items], items.byteLength);
      // The answer is taken, and a closed writer writes no more.
      BUFFERS.give(items);
    },
  };
}

function list(
  fileSystem: FileSystem,
  exchange: Exchange,
  { handle, offset, size }: ReadRequest,
  wantsEntries: boolean,
): Result<ListingWriter> {
  const room = Math.min(size, exchange.bodyCapacity, MAX_LISTING_SIZE);
  const writer = new ListingWriter(BUFFERS.take(room), wantsEntries);
  try {
    const end = fileSystem.readdir(exchange.nodeId, handle, offset, writer, exchange);
    if (!(end instanceof Promise)) return outcome(writer, end);
    return end.then(
      (errno) => outcome(writer, errno),
      (error: unknown) => thrown(writer, exchange, error),
    );
  } catch (error) {
    return thrown(writer, exchange, error);
  }
}

/**
 * Items that were added before a listing failed are answered, since entries among them count as lookups. The
 * kernel comes back for what follows them, and learns of the failure then.
 */
function outcome(writer: ListingWriter, errno: Errno | undefined): ListingWriter | Errno {
  if (writer.size > 0) return writer;
  if (errno === undefined && writer.isTooSmall) return ERRNO.EINVAL;
  return errno ?? writer;
}

function thrown(writer: ListingWriter, exchange: Exchange, error: unknown): ListingWriter {
  if (writer.size === 0) throw error;
  if (!exchange.interrupted && error !== MUST_NOT_WAIT) exchange.report(error);
  return writer;
}
