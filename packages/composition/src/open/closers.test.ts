import { describe, expect, it } from "vitest";
import { Closers } from "./closers.js";

describe("Closers.closeAll()", () => {
  it("closes the last first, and each once", async () => {
    const closed: string[] = [];
    const closers = new Closers();
    closers.add(() => void closed.push("first"));
    closers.add(async () => void closed.push("second"));
    await closers.closeAll();
    await closers.closeAll();
    expect(closed).toEqual(["second", "first"]);
  });

  it("closes the others when some fail, and says what failed first", async () => {
    const closed: string[] = [];
    const closers = new Closers();
    closers.add(() => void closed.push("first"));
    closers.add(() => {
      throw new Error("later");
    });
    closers.add(async () => {
      throw new Error("sooner");
    });
    await expect(closers.closeAll()).rejects.toThrow("sooner");
    expect(closed).toEqual(["first"]);
  });

  it("goes on without what never ends", async () => {
    const closed: string[] = [];
    const closers = new Closers(5);
    closers.add(() => void closed.push("first"));
    closers.add(() => new Promise<void>(() => {}));
    await expect(closers.closeAll()).rejects.toThrow("has not ended in 5 ms");
    expect(closed).toEqual(["first"]);
  });
});
