import fs from "node:fs";
import { describe, expect, it } from "vitest";
import { concatBytes, toUtf8 } from "../bytes.js";
import { packFilesOf } from "../testing/sample-store.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import { seededBytes } from "../testing/seeded-random.js";
import { LocalStore } from "./local-store.js";
import { PACK_HEADER_LENGTH, RecordKind, sealRecordHeader } from "./pack-format.js";
import { encodeRecord } from "./record.js";

const scratch = scratchDirectory();
/** Where the forged record comes to lie: behind the header of the pack, a path info and 500 bytes. */
const forgedOffset = PACK_HEADER_LENGTH + 64 + 7 + 64 + 500;
const KEY = new Uint8Array(20).fill(7);

describe("a record inside the content of a blob", () => {
  it.each([
    ["that has no check", undefined],
    ["made for another identity", new Uint8Array(16)],
  ])(
    "%s is not taken for one when the packs are read anew after damage",
    async (_what, identity) => {
      const forged = encodeRecord(RecordKind.PATH_INFO, KEY, toUtf8("forged"));
      if (identity !== undefined) sealRecordHeader(forged, { identity, offset: forgedOffset });
      const blob = concatBytes([seededBytes(1, 500), forged, seededBytes(2, 500)]);
      {
        await using store = await LocalStore.open(scratch());
        await store.pathInfoRecords.put(KEY, toUtf8("genuine"));
        await store.blobs.put([blob]);
      }
      const [file = ""] = packFilesOf(scratch());
      const bytes = fs.readFileSync(file);
      const at = bytes.indexOf(blob) - 64;
      expect(bytes.indexOf(forged)).toBe(forgedOffset);
      expect(bytes.subarray(at, at + 4).toString()).toBe("TVXR");
      bytes.fill(0, at, at + 64);
      fs.writeFileSync(file, bytes);
      for (const suffix of ["", "-wal", "-shm"])
        fs.rmSync(scratch(`meta.sqlite${suffix}`), { force: true });
      await using store = await LocalStore.open(scratch());
      expect(await store.pathInfoRecords.get(KEY)).toEqual(toUtf8("genuine"));
    },
  );
});
