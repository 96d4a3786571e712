import { fromBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { BlobChunkSchema } from "@tvix/protos/castore";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Deframer, encodeMessage, FRAME_HEADER_LEN } from "./frame.js";

function frame(bytes: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(FRAME_HEADER_LEN);
  head[0] = flags;
  head.writeUInt32BE(bytes.byteLength, 1);
  return Buffer.concat([head, bytes]);
}

function deframe(pieces: readonly Buffer[], maxBytes = 1 << 20) {
  const messages: { compressed: boolean; text: string }[] = [];
  const deframer = new Deframer(maxBytes, ({ compressed, bytes }) =>
    messages.push({ compressed, text: Buffer.from(bytes).toString("hex") }),
  );
  for (const piece of pieces) {
    deframer.push(piece);
  }
  return { messages, partial: deframer.partial };
}

describe("Deframer", () => {
  it("gives back the messages, wherever the bytes are cut", () => {
    const message = fc.uint8Array({ maxLength: 300 });
    const cuts = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 400 });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), cuts, (messages, sizes) => {
        let rest = Buffer.concat(messages.map((one, index) => frame(one, index % 2)));
        const pieces: Buffer[] = [];
        for (const size of sizes) {
          pieces.push(rest.subarray(0, size));
          rest = rest.subarray(size);
        }
        pieces.push(rest);
        const expected = messages.map((one, index) => ({
          compressed: index % 2 === 1,
          text: Buffer.from(one).toString("hex"),
        }));
        expect(deframe(pieces)).toEqual({ messages: expected, partial: false });
      }),
      { seed: 4711, numRuns: 300 },
    );
  });

  it("puts a large message that comes byte by byte together", () => {
    const message = Buffer.from(Array.from({ length: 20_000 }, (_, index) => index % 251));
    const pieces = [...frame(message)].map((byte) => Buffer.of(byte));
    const { messages, partial } = deframe(pieces);
    expect(messages).toEqual([{ compressed: false, text: message.toString("hex") }]);
    expect(partial).toBe(false);
  });

  it.each([
    ["in one piece", [frame(Buffer.alloc(17))]],
    ["as soon as the header is there", [frame(Buffer.alloc(17)).subarray(0, FRAME_HEADER_LEN)]],
    ["with a cut header", [Buffer.of(0, 0), Buffer.of(0, 0, 17)]],
  ])("refuses a message over the limit %s", (_, pieces) => {
    expect(() => deframe(pieces, 16)).toThrow(
      new ConnectError("Cannot receive message: 17 bytes, the limit is 16", Code.ResourceExhausted),
    );
    expect(deframe([frame(Buffer.alloc(16))], 16).messages).toHaveLength(1);
  });

  it("refuses flags that gRPC does not have", () => {
    expect(() => deframe([frame(Buffer.alloc(1), 2)])).toThrow(/flags 2/);
  });

  it("is partial while a message is not complete", () => {
    const bytes = frame(Buffer.alloc(3));
    expect(deframe([bytes.subarray(0, 1)]).partial).toBe(true);
    expect(deframe([bytes.subarray(0, 7)]).partial).toBe(true);
    expect(deframe([bytes]).partial).toBe(false);
    expect(deframe([]).partial).toBe(false);
  });
});

describe("encodeMessage()", () => {
  it.each([0, 1, 16_000, 16_384, 16_385, 100_000])("frames a message of %i bytes", (size) => {
    const data = new Uint8Array(size).fill(9);
    const parts = encodeMessage(BlobChunkSchema, { data }, 1 << 20);
    const bytes = Buffer.concat(parts);
    expect(bytes.readUInt32BE(1)).toBe(bytes.length - FRAME_HEADER_LEN);
    const message = fromBinary(BlobChunkSchema, bytes.subarray(FRAME_HEADER_LEN));
    expect(Buffer.compare(message.data, data)).toBe(0);
  });

  it("refuses a message over the limit", () => {
    expect(() => encodeMessage(BlobChunkSchema, { data: new Uint8Array(100) }, 101)).toThrow(
      /Cannot send tvix.castore.v1.BlobChunk: 102 bytes, the limit is 101/,
    );
    expect(encodeMessage(BlobChunkSchema, { data: new Uint8Array(100) }, 102)).toHaveLength(1);
  });
});
