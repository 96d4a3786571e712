import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { FindMissingBlobsRequestSchema, PutBlobsRequestSchema } from "@tvix/protos/batch";
import {
  BlobChunkSchema,
  PutBlobResponseSchema,
  StatBlobRequestSchema,
} from "@tvix/protos/castore";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteFieldsOf, encodeByteFields } from "./byte-fields.js";

const ROOM = 5;

/** The encoded message without the room in front of it; `undefined` where the general encoder is needed. */
function encoded(schema: DescMessage, message: unknown): Uint8Array | undefined {
  const fields = byteFieldsOf(schema, message);
  if (fields === undefined) return undefined;
  const all = Buffer.concat(encodeByteFields(fields, ROOM));
  expect(all.byteLength).toBe(ROOM + fields.length);
  return new Uint8Array(all.subarray(ROOM));
}

/** `toEqual` takes seconds for a MiB. */
function expectEqual(actual: Uint8Array | undefined, expected: Uint8Array): void {
  expect(actual?.byteLength).toBe(expected.byteLength);
  expect(Buffer.compare(actual ?? new Uint8Array(0), expected)).toBe(0);
}

describe("encodeByteFields()", () => {
  it.each([0, 1, 127, 128, 16_383, 16_384, 16_385, 2_097_151, 2_097_152, 3_000_000])(
    "writes %d bytes as the general encoder does",
    (length) => {
      const data = new Uint8Array(length).fill(7);
      const message = create(BlobChunkSchema, { data });
      const expected = toBinary(BlobChunkSchema, message);
      expectEqual(encoded(BlobChunkSchema, message), expected);
      expectEqual(encoded(BlobChunkSchema, { data }), expected);
    },
  );

  it("writes lists as the general encoder does, empty items too", () => {
    const length = fc.oneof(fc.nat(20), fc.constant(16_384), fc.constant(20_000));
    fc.assert(
      fc.property(fc.array(length, { maxLength: 8 }), (lengths) => {
        const digests = lengths.map((bytes, i) => new Uint8Array(bytes).fill(i));
        const message = create(FindMissingBlobsRequestSchema, { digests });
        const expected = toBinary(FindMissingBlobsRequestSchema, message);
        expectEqual(encoded(FindMissingBlobsRequestSchema, { digests }), expected);
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  it("writes the fields of other types in front", () => {
    const input = {
      contents: [new Uint8Array(3), new Uint8Array(20_000).fill(1)],
      lengths: [3, 7],
    };
    const message = create(PutBlobsRequestSchema, input);
    for (const given of [input, message]) {
      const bytes = encoded(PutBlobsRequestSchema, given) as Uint8Array;
      expect([...bytes.subarray(0, 4)]).toEqual([0x12, 2, 3, 7]);
      const { contents, lengths } = fromBinary(PutBlobsRequestSchema, bytes);
      expect(lengths).toEqual([3, 7]);
      expect(contents).toHaveLength(2);
      for (const [i, content] of input.contents.entries()) expectEqual(contents[i], content);
    }
  });

  it("copies what is short and sends what is long from where it is", () => {
    const long = new Uint8Array(20_000);
    const short = new Uint8Array(100);
    const fields = byteFieldsOf(PutBlobsRequestSchema, { contents: [short, long, short] });
    const [, second, ...others] = fields === undefined ? [] : encodeByteFields(fields, ROOM);
    expect(second).toBe(long);
    expect(others).toHaveLength(1);
  });
});

describe("byteFieldsOf()", () => {
  it("takes a message without fields set", () => {
    expect(encoded(PutBlobResponseSchema, {})).toEqual(new Uint8Array(0));
  });

  const withUnknown = create(BlobChunkSchema, { data: new Uint8Array(3) });
  withUnknown.$unknown = [{ no: 9, wireType: 0, data: Uint8Array.of(1) }];
  const wrong = { data: "text" } as unknown as MessageInitShape<typeof BlobChunkSchema>;

  it.each([
    { title: "with fields of other types", schema: StatBlobRequestSchema, message: {} },
    { title: "of these with short byte strings", schema: PutBlobsRequestSchema, message: {} },
    { title: "with unknown fields", schema: BlobChunkSchema, message: withUnknown },
    { title: "whose field holds something else", schema: BlobChunkSchema, message: wrong },
    { title: "that is none", schema: BlobChunkSchema, message: undefined },
  ])("leaves a message $title to the general encoder", ({ schema, message }) => {
    expect(byteFieldsOf(schema, message)).toBeUndefined();
  });
});
