import { spawn } from "node:child_process";
import { once } from "node:events";
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

  it("writes many parts as one, through a pipe that takes a little at a time", async () => {
    const parts = [3, 0, 100_000, 1, 300_000, 70_000].map((length, i) =>
      new Uint8Array(length).fill(i),
    );
    const reader = spawn("cat", [], { stdio: ["pipe", "pipe", "inherit"] });
    const received: Buffer[] = [];
    reader.stdout.on("data", (bytes: Buffer) => received.push(bytes));
    const { fd } = (reader.stdin as unknown as { _handle: { fd: number } })._handle;
    await new FdSink(fd, new AbortController().signal).writeMany(parts);
    reader.stdin.end();
    await once(reader, "close");
    expect(Buffer.compare(Buffer.concat(received), Buffer.concat(parts))).toBe(0);
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
