import { describe, expect, it } from "vitest";
import { SingleFlight } from "./single-flight.js";

/** Work that ends when it is told, or given up. */
class Work {
  readonly signals: AbortSignal[] = [];
  readonly #ends: ((result: string | Error) => void)[] = [];

  readonly begin = (signal: AbortSignal): Promise<string> =>
    new Promise((resolve, reject) => {
      this.signals.push(signal);
      this.#ends.push((result) => (result instanceof Error ? reject(result) : resolve(result)));
    });

  end(which: number, result: string | Error): void {
    this.#ends[which]?.(result);
  }
}

describe("SingleFlight", () => {
  it("does the same work once for all who ask meanwhile", async () => {
    const [flights, work] = [new SingleFlight<string>(), new Work()];
    const both = [flights.run("a", work.begin), flights.run("a", work.begin)];
    const other = flights.run("b", work.begin);
    expect(work.signals.length).toBe(2);
    work.end(0, "one");
    work.end(1, "two");
    expect(await Promise.all([...both, other])).toEqual(["one", "one", "two"]);
    expect(work.signals.map((signal) => signal.aborted)).toEqual([false, false]);
  });

  it("begins again when it has ended, also by failure", async () => {
    const [flights, work] = [new SingleFlight<string>(), new Work()];
    const first = flights.run("a", work.begin);
    work.end(0, new Error("no"));
    await expect(first).rejects.toThrow("no");
    const second = flights.run("a", work.begin);
    work.end(1, "yes");
    expect(await second).toBe("yes");
  });

  it("goes on as long as somebody waits", async () => {
    const [flights, work, leaver] = [new SingleFlight<string>(), new Work(), new AbortController()];
    const left = flights.run("a", work.begin, leaver.signal);
    const stays = flights.run("a", work.begin);
    leaver.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
    expect(work.signals[0]?.aborted).toBe(false);
    work.end(0, "done");
    expect(await stays).toBe("done");
  });

  it("gives work up that nobody waits for, and begins anew for the next", async () => {
    const [flights, work, leaver] = [new SingleFlight<string>(), new Work(), new AbortController()];
    const left = flights.run("a", work.begin, leaver.signal);
    leaver.abort(new Error("gone"));
    await expect(left).rejects.toThrow("gone");
    expect(work.signals[0]?.aborted).toBe(true);
    const next = flights.run("a", work.begin);
    work.end(0, "of the first");
    work.end(1, "of the second");
    expect(await next).toBe("of the second");
    // That the first has ended takes nothing from the second.
    expect(work.signals.length).toBe(2);
  });

  it("begins nothing for whoever has gone already", async () => {
    const [flights, work] = [new SingleFlight<string>(), new Work()];
    const asked = flights.run("a", work.begin, AbortSignal.abort(new Error("gone")));
    await expect(asked).rejects.toThrow("gone");
    expect(work.signals).toEqual([]);
  });
});
