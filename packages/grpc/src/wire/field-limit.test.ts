import { create, type DescMessage, toBinary } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { DirectorySchema, StatBlobRequestSchema } from "@tvix/protos/castore";
import { PathInfoSchema } from "@tvix/protos/store";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkFields } from "./field-limit.js";

/** Large enough that the length alone does not show that there are few fields. */
const LONG = new Uint8Array(1000);

/** The highest limit that a message does not keep. */
function fieldsOf(schema: DescMessage, bytes: Uint8Array): number {
  let limit = 0;
  for (;;) {
    try {
      checkFields(schema, bytes, limit + 1);
      return limit + 1;
    } catch {
      limit++;
    }
  }
}

const file = { name: LONG, digest: new Uint8Array(32), size: 5n, executable: true };

describe("checkFields()", () => {
  it.each([
    ["one field", StatBlobRequestSchema, create(StatBlobRequestSchema, { digest: LONG }), 1],
    [
      "three fields",
      StatBlobRequestSchema,
      create(StatBlobRequestSchema, { digest: LONG, sendChunks: true, sendBao: true }),
      3,
    ],
    ["a message in it", DirectorySchema, create(DirectorySchema, { files: [file] }), 4 + 4],
    [
      "messages side by side",
      DirectorySchema,
      create(DirectorySchema, { files: [file, file], symlinks: [{ name: LONG }, {}] }),
      2 * 8 + 5 + 4,
    ],
    [
      "messages in messages, and fields behind them",
      PathInfoSchema,
      create(PathInfoSchema, {
        node: { node: { case: "file", value: file } },
        references: [LONG, LONG],
        narinfo: { signatures: [{ name: "n", data: LONG }], referenceNames: ["r"] },
      }),
      4 + 8 + 2 + 4 + 6 + 1,
    ],
  ])("counts %s", (_, schema, message, fields) => {
    expect(fieldsOf(schema, toBinary(schema, message as never))).toBe(fields);
  });

  it("counts fixed numbers, groups and fields that nobody knows", () => {
    const group = [0x7b, 0x08, 1, 0x7c];
    const bytes = [0x79, ...new Array(8).fill(0xff), 0x7d, ...new Array(4).fill(0xff), ...group];
    const message = Uint8Array.from([...bytes, 0x7a, 0x80, 0x01, ...new Array(128).fill(0)]);
    expect(fieldsOf(StatBlobRequestSchema, message)).toBe(6);
  });

  it("refuses four megabytes of nothing, saying of what", () => {
    const bytes = new Uint8Array(4 << 20).map((_, i) => (i % 2 === 0 ? 0x0a : 0));
    let error: unknown;
    try {
      checkFields(DirectorySchema, bytes, 500_000);
    } catch (cause) {
      error = cause;
    }
    expect(ConnectError.from(error)).toMatchObject({
      code: Code.ResourceExhausted,
      rawMessage: "Cannot receive message: tvix.castore.v1.Directory with more than 500000 fields",
    });
    expect(() => checkFields(StatBlobRequestSchema, bytes, 2_097_152)).not.toThrow();
  });

  it("ends for any bytes, with nothing but that error", () => {
    const noise = fc.uint8Array({ minLength: 100, maxLength: 2000 });
    fc.assert(
      fc.property(noise, (bytes) => {
        for (const schema of [DirectorySchema, PathInfoSchema]) {
          try {
            checkFields(schema, bytes, 20);
          } catch (error) {
            expect(error).toBeInstanceOf(ConnectError);
          }
        }
      }),
      { seed: 20_241_123, numRuns: 500 },
    );
  });
});
