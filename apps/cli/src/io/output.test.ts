import { describe, expect, it } from "vitest";
import { BrokenPipeError, type ByteSink, Output, toJson } from "./output.js";

class MemorySink implements ByteSink {
  readonly writes: string[] = [];

  async write(bytes: Uint8Array): Promise<void> {
    this.writes.push(new TextDecoder("latin1").decode(bytes));
  }
}

describe("Output", () => {
  it("gathers lines until it is flushed", async () => {
    const sink = new MemorySink();
    const output = new Output(sink);
    await output.line("one");
    await output.line("two");
    expect(sink.writes).toEqual([]);
    await output.flush();
    expect(sink.writes).toEqual(["one\ntwo\n"]);
    await output.flush();
    expect(sink.writes).toHaveLength(1);
  });

  it.each([1, 100, 65_535, 65_536, 65_537, 200_000])(
    "keeps order with pieces of %i bytes",
    async (length) => {
      const sink = new MemorySink();
      const output = new Output(sink);
      let expected = "";
      for (const letter of ["a", "b", "c"]) {
        await output.bytes(new TextEncoder().encode(letter.repeat(length)));
        await output.line("|");
        expected += `${letter.repeat(length)}|\n`;
      }
      await output.flush();
      expect(sink.writes.join("") === expected).toBe(true);
    },
  );

  it("has taken the bytes when the call returns", async () => {
    const sink = new MemorySink();
    const output = new Output(sink);
    const bytes = new TextEncoder().encode("before");
    await output.bytes(bytes);
    bytes.fill(0x78);
    await output.flush();
    expect(sink.writes).toEqual(["before"]);
  });

  it.each([true, false])(
    "writes pieces behind what was buffered; all at once: %s",
    async (many) => {
      const sink = new MemorySink();
      const calls: number[] = [];
      if (many) {
        Object.assign(sink, {
          writeMany: async (parts: readonly Uint8Array[]) => {
            calls.push(parts.length);
            for (const part of parts) await sink.write(part);
          },
        });
      }
      const output = new Output(sink);
      await output.bytes(new TextEncoder().encode("a"));
      await output.pieces(["b", "c"].map((text) => new TextEncoder().encode(text)));
      await output.bytes(new TextEncoder().encode("d"));
      await output.flush();
      expect(sink.writes.join("")).toBe("abcd");
      expect(calls).toEqual(many ? [2] : []);
    },
  );

  it("passes on that nobody reads", async () => {
    const output = new Output({ write: () => Promise.reject(new BrokenPipeError("gone")) });
    await output.line("x");
    await expect(output.flush()).rejects.toThrow(BrokenPipeError);
  });
});

describe("toJson()", () => {
  it("writes sizes as numbers", () => {
    expect(toJson({ size: 12n, name: "x" })).toBe('{"size":12,"name":"x"}');
  });
});
