import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { FdSink } from "./fd-sink.js";

describe("FdSink", () => {
  it("writes all bytes in order", async () => {
    const directory = mkdtempSync(join(tmpdir(), "tvix-sink-"));
    const file = join(directory, "out");
    const fd = openSync(file, "w");
    const sink = new FdSink(fd, new AbortController().signal);
    await sink.write(new TextEncoder().encode("one "));
    await sink.write(new Uint8Array());
    await sink.write(new TextEncoder().encode("two"));
    closeSync(fd);
    expect(readFileSync(file, "utf8")).toBe("one two");
    expect(sink.isBlocked).toBe(false);
    rmSync(directory, { recursive: true });
  });

  it("writes nothing after an abort", async () => {
    const reason = new Error("enough");
    const sink = new FdSink(1, AbortSignal.abort(reason));
    await expect(sink.write(Uint8Array.of(1))).rejects.toBe(reason);
  });

  it.skipIf(!existsSync("/dev/full"))("passes on what the system says", async () => {
    const fd = openSync("/dev/full", "w");
    const sink = new FdSink(fd, new AbortController().signal);
    await expect(sink.write(Uint8Array.of(1))).rejects.toMatchObject({
      exitCode: 1,
      cause: { code: "ENOSPC" },
    });
    closeSync(fd);
  });
});
