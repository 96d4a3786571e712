import { describe, expect, it } from "vitest";
import { Directory } from "../nodes/directory.js";
import { digestDirectory } from "../wire/directory-digest.js";
import { BatchedUpload } from "./directory-upload.js";

describe("BatchedUpload", () => {
  it("sends empty messages while no Directory comes", async () => {
    let come = (): void => {};
    const awaited = new Promise<void>((resolve) => {
      come = resolve;
    });
    const source = async function* () {
      await awaited;
      yield Directory.EMPTY;
    };
    const upload = new BatchedUpload(source(), async () => {}, 1);
    const messages = upload.messages();
    for (let i = 0; i < 3; i++) {
      expect(await messages.next()).toEqual({ done: false, value: { directories: [] } });
    }
    come();
    const { encoded, digest } = digestDirectory(Directory.EMPTY);
    let last: unknown;
    for await (const message of messages) last = message;
    expect(last).toEqual({ directories: [encoded], rootDigest: digest.toBytes() });
  });

  it("ends a source that is not wanted any more, without waiting for it", async () => {
    const source = async function* (): AsyncGenerator<Directory> {
      await new Promise(() => {});
    };
    const messages = new BatchedUpload(source(), async () => {}, 1).messages();
    await messages.next();
    expect(await messages.return()).toEqual({ done: true, value: undefined });
  });

  it("passes on what the source fails with", async () => {
    const source = async function* (): AsyncGenerator<Directory> {
      yield Directory.EMPTY;
      throw new RangeError("broken");
    };
    const upload = new BatchedUpload(source(), async () => {}, 1000);
    await expect(upload.messages().next()).rejects.toThrow("broken");
    expect(upload.hasFailed).toBe(true);
  });
});
