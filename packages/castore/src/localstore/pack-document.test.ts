import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { toHex, toUtf8 } from "../bytes.js";
import { chunkSizes } from "../chunking/fastcdc.js";
import { blake3 } from "../hasher/blake3.js";
import {
  decodePackHeader,
  encodePackHeader,
  MAX_CHUNK_PAYLOAD,
  MAX_RECORD_PAYLOAD,
  PACK_HEADER_LENGTH,
  RecordKind,
  sealRecordHeader,
} from "./pack-format.js";
import { encodeRecord } from "./record.js";

const document = readFileSync(new URL("../../../../docs/formats/pack.md", import.meta.url), "utf8");

describe("docs/formats/pack.md", () => {
  it("has an example that is true", () => {
    const block = /### Example[\s\S]*?```\n([\s\S]*?)```/.exec(document)?.[1] ?? "";
    const abc = toUtf8("abc");
    const record = encodeRecord(RecordKind.CHUNK, blake3(abc).toBytes(), abc);
    const header = encodePackHeader(Uint8Array.from({ length: 16 }, (_, i) => i));
    const identity = decodePackHeader(header, 1);
    sealRecordHeader(record, { identity, offset: PACK_HEADER_LENGTH });
    expect(PACK_HEADER_LENGTH).toBe(4136);
    expect(block.replaceAll(/\s/g, "")).toBe(toHex(header.subarray(4096)) + toHex(record));
  });

  it.each([
    [MAX_CHUNK_PAYLOAD, 8 * 1024 ** 2, "A chunk has at most 8 MiB"],
    [MAX_RECORD_PAYLOAD, 512 * 1024 ** 2, "any other payload 512 MiB"],
    [chunkSizes().min, 128 * 1024, "A blob of up to 128 KiB is one chunk"],
    [chunkSizes().average, 256 * 1024, "average 256 KiB"],
  ])("says %s as it is in the code", (actual, expected, text) => {
    expect(actual).toBe(expected);
    expect(document).toContain(text);
  });
});
