/** What peers that speak gRPC with their default settings take as one message: 4 MiB. */
export const PEER_MESSAGE_BYTES: number = 4 * 1024 * 1024;

/** How much content goes into one message: large enough to be fast, small enough to share a connection. */
export const CONTENT_MESSAGE_BYTES: number = 1024 * 1024;

/** How much content of small blobs goes into one message: half of a batch of an import. */
export const BLOBS_MESSAGE_BYTES: number = 2 * 1024 * 1024 + 128 * 1024;

/** Most digests in one question for what is missing, 2.1 MiB on the wire. */
export const MAX_DIGESTS_PER_CALL = 65_536;

/** Most blobs of one `PutBlobs`; a message of {@link PEER_MESSAGE_BYTES} could hold two million empty ones. */
export const MAX_BLOBS_PER_CALL = 16_384;

/** Longest blob that `ReadBlobs` sends; {@link READ_BLOBS_AT_A_TIME} of them are held in memory. */
export const MAX_READ_BLOB_BYTES: number = 128 * 1024;

/** Blobs of one `ReadBlobs` that are opened at a time. */
export const READ_BLOBS_AT_A_TIME = 64;

/**
 * Longest chunk that is named by the other side: twice what the largest setting of the chunker of
 * tvix can cut. One is held in memory while it is verified.
 */
export const MAX_CHUNK_BYTES: number = 16 * 1024 * 1024;

/** Longest chunk that the other side sends: the longest that tvix and we cut by default, twice over. */
export const MAX_SENT_CHUNK_BYTES: number = 1024 * 1024;

/** Most chunks of one blob, 256 GiB at the usual average: the list is held in memory. */
export const MAX_CHUNKS = 1_048_576;

/** Most Directories of one upload, repetitions included: sizes and digests of all are held in memory. */
export const MAX_DIRECTORIES_PER_UPLOAD = 1_048_576;

/**
 * Bytes on the wire of one ChunkMeta, at most: tags and lengths of message, digest and size, the
 * digest, and a size below 2^28.
 */
export const CHUNK_META_BYTES = 41;

/**
 * Name of the response header of `BlobService.Stat` that tells the length of a blob in decimal. An
 * addition of ours: without it, a blob that has no chunk list must be read to learn its length.
 */
export const BLOB_SIZE_HEADER = "tvix-blob-size";
