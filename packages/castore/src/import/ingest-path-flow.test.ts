import fs from "node:fs";
import { describe, expect, it } from "vitest";
import type { CallOptions } from "../blobservice/blob-service.js";
import { MemoryBlobService } from "../blobservice/memory.js";
import type { B3Digest } from "../digest.js";
import { MemoryDirectoryService } from "../directoryservice/memory.js";
import type { Directory } from "../nodes/directory.js";
import { expectStored, walkFileTree } from "../testing/file-tree-walker.js";
import {
  directory,
  type FileTree,
  file,
  patternBytes,
  symlink,
  writeFileTree,
} from "../testing/file-trees.js";
import { scratchDirectory } from "../testing/scratch-directory.js";
import type { IngestProgress } from "./ingest.js";
import { ingestPath } from "./ingest-path.js";
import { BATCH_BYTES, SMALL_FILE_BYTES } from "./tree-reader.js";

const scratch = scratchDirectory();

/** Three batches of small files, with two large files between them. */
const TREE = directory({
  a: directory({ f: file("first") }),
  b: file(patternBytes(2 * BATCH_BYTES)),
  c: directory({ f: file("second"), l: symlink("f") }),
  d: file(patternBytes(BATCH_BYTES + 1)),
  e: file("third"),
});

/** Small and large files by turns, so that each is in a batch of its own. */
function manyBatches(count: number): FileTree {
  const entries: Record<string, FileTree> = {};
  for (let i = 0; i < count; i++) {
    entries[`f${i}a`] = file(`small ${i}`);
    entries[`f${i}b`] = file(patternBytes(SMALL_FILE_BYTES + 1 + i));
  }
  return directory(entries);
}

/** Takes its time to look at what it is given. */
class SlowBlobs extends MemoryBlobService {
  inFlight = 0;
  mostInFlight = 0;

  override async putMany(blobs: readonly Uint8Array[], options?: CallOptions): Promise<B3Digest[]> {
    await this.#dawdle();
    return super.putMany(blobs, options);
  }

  override async put(source: AsyncIterable<Uint8Array>, options?: CallOptions): Promise<B3Digest> {
    const digest = await super.put(source, options);
    await this.#dawdle();
    return digest;
  }

  async #dawdle(): Promise<void> {
    this.mostInFlight = Math.max(this.mostInFlight, ++this.inFlight);
    for (let i = 0; i < 500; i++) await new Promise((resolve) => setImmediate(resolve));
    this.inFlight -= 1;
  }
}

describe("ingestPath() into a slow blob service", () => {
  it("leaves content as it is until it is acknowledged", async () => {
    writeFileTree(scratch("tree"), manyBatches(20));
    const services = { blobs: new SlowBlobs(), directories: new MemoryDirectoryService() };
    const { node } = await ingestPath(services, scratch("tree"));
    const expected = walkFileTree(scratch("tree"));
    expect(node).toEqual(expected.node);
    await expectStored(services, expected);
  });

  it("has a bounded number of blobs on their way", async () => {
    writeFileTree(scratch("tree"), manyBatches(40));
    const services = { blobs: new SlowBlobs(), directories: new MemoryDirectoryService() };
    await ingestPath(services, scratch("tree"));
    expect(services.blobs.mostInFlight).toBeGreaterThan(1);
    expect(services.blobs.mostInFlight).toBeLessThan(20);
  });
});

describe("ingestPath() and its progress", () => {
  it("reports numbers that only grow, up to those of its result", async () => {
    writeFileTree(scratch("tree"), TREE);
    const reports: IngestProgress[] = [];
    const services = { blobs: new MemoryBlobService(), directories: new MemoryDirectoryService() };
    const { progress } = await ingestPath(services, scratch("tree"), {
      onProgress: (report) => reports.push(report),
    });
    expect(reports.length).toBeGreaterThanOrEqual(6);
    let last: IngestProgress = { entries: 0, files: 0, bytes: 0 };
    for (const report of reports) {
      for (const key of ["entries", "files", "bytes"] as const)
        expect(report[key]).toBeGreaterThanOrEqual(last[key]);
      last = report;
    }
    expect(last).toEqual(progress);
  });

  it("hands Directories on while it reads, also where there is no content", async () => {
    fs.symlinkSync("t".repeat(4000), scratch("link"));
    fs.mkdirSync(scratch("tree"));
    for (let d = 0; d < 35; d++) {
      fs.mkdirSync(scratch(`tree/d${d}`));
      for (let i = 0; i < 260; i++) fs.linkSync(scratch("link"), scratch(`tree/d${d}/l${i}`));
    }
    let entries = 0;
    let seen = 0;
    class WatchingDirectories extends MemoryDirectoryService {
      override putMultiple(source: AsyncIterable<Directory>): Promise<B3Digest> {
        seen = entries;
        return super.putMultiple(source);
      }
    }
    const services = { blobs: new MemoryBlobService(), directories: new WatchingDirectories() };
    const result = await ingestPath(services, scratch("tree"), {
      onProgress: (progress) => {
        entries = progress.entries;
      },
    });
    expect(entries).toBe(result.progress.entries);
    expect(seen).toBeLessThan(0.9 * entries);
  });
});
