import { describe, expect, it } from "vitest";
import { Diagnostics } from "../io/diagnostics.js";
import { Progress } from "../io/progress.js";
import { ImportProgress } from "./import-progress.js";

function setUp() {
  const clock = { now: 0 };
  let shown = "";
  const write = (text: string) => {
    shown = text.replace("\r\x1b[K", "");
  };
  const line = new Progress(new Diagnostics({ isTTY: true, columns: 200, write }), {
    now: () => clock.now,
  });
  return { clock, progress: new ImportProgress(line, () => clock.now), shown: () => shown };
}

describe("ImportProgress", () => {
  it("shows files, bytes and the rate", () => {
    const { clock, progress, shown } = setUp();
    clock.now = 2000;
    progress.update({ entries: 12, files: 10, bytes: 5_000_000 });
    expect(shown()).toBe("10 files, 5.00 MB, 2.50 MB/s");
  });

  it("adds up several paths", () => {
    const { clock, progress, shown } = setUp();
    progress.finish({ entries: 5, files: 4, bytes: 1_000_000 });
    clock.now = 1000;
    progress.update({ entries: 1, files: 1, bytes: 1_000_000 });
    expect(shown()).toBe("5 files, 2.00 MB, 2.00 MB/s");
    expect(progress.finished).toEqual({ entries: 5, files: 4, bytes: 1_000_000 });
  });

  it("tells the time left once the size is known", () => {
    const { clock, progress, shown } = setUp();
    progress.expect({ entries: 0, bytes: 10_000_000 });
    clock.now = 4000;
    progress.update({ entries: 0, files: 0, bytes: 4_000_000 });
    expect(shown()).toBe("0 files, 4.00 MB, 1.00 MB/s, 6 s left");
  });

  it("tells no time left in the first second, nor for a tree that has grown", () => {
    const { clock, progress, shown } = setUp();
    progress.expect({ entries: 1, bytes: 1000 });
    clock.now = 500;
    progress.update({ entries: 0, files: 0, bytes: 500 });
    expect(shown()).not.toContain("left");
    clock.now = 5000;
    progress.update({ entries: 9, files: 9, bytes: 5000 });
    expect(shown()).not.toContain("left");
  });
});
