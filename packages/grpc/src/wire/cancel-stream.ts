import { constants, type Http2Stream } from "node:http2";

/**
 * Ends a stream on both sides with CANCEL, and drops what was not sent of it.
 *
 * `close()` alone must never be used on a stream with something to send. While the connection is busy with a
 * write, Node only notes the reset. The write over, it sends the rest of the stream first; if the socket takes
 * that at once, or refuses it at once, the stream is complete, Node destroys it, and the reset is forgotten.
 * nghttp2 then asks a stream that is gone for data and gets "0 bytes, not the end": it makes empty DATA frames
 * without end, in one loop of native code that takes all memory (Node 20.20: `Http2Session::ClearOutgoing`,
 * `Http2Stream::Provider::Stream::OnRead`). Any client can have it so: it calls with a deadline, reads nothing,
 * and goes away. `destroy()` hands over a reset that was noted, before anything else can happen.
 */
export function cancelStream(stream: Http2Stream): void {
  stream.close(constants.NGHTTP2_CANCEL);
  stream.destroy();
}
