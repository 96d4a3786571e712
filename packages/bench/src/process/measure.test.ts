import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { measure } from "./measure.js";

const HAS_PROC = existsSync("/proc/self/status");
const { signal } = new AbortController();

function node(script: string) {
  return { program: process.execPath, args: ["-e", script] };
}

describe("measure()", () => {
  it("tells time and output of a command", async () => {
    const command = node("setTimeout(() => console.log('done'), 200)");
    const result = await measure(command, { stdout: "keep", signal });
    expect(result.stdout).toBe("done\n");
    expect(result.wallSeconds).toBeGreaterThan(0.2);
    expect(result.wallSeconds).toBeLessThan(20);
  });

  it("drops output that is discarded", async () => {
    const result = await measure(node("console.log('x')"), { stdout: "discard", signal });
    expect(result.stdout).toBe("");
  });

  it.skipIf(!HAS_PROC)("sees the memory a program uses (needs /proc)", async () => {
    const script = "const b = Buffer.alloc(300 * 1048576, 1); setTimeout(() => b.length, 200)";
    const { peakBytes } = await measure(node(script), { stdout: "discard", signal });
    expect(peakBytes).toBeGreaterThan(300 * 1048576);
    expect(peakBytes).toBeLessThan(500 * 1048576);
  });

  it.skipIf(!HAS_PROC)("sees the CPU time a program uses (needs /proc)", async () => {
    const script =
      "while (process.cpuUsage().user < 400_000) for (let i = 0; i < 1e6; i++) Math.sqrt(i)";
    const { cpuSeconds } = await measure(node(script), { stdout: "discard", signal });
    expect(cpuSeconds).toBeGreaterThan(0.35);
    expect(cpuSeconds).toBeLessThan(5);
  });

  it("rejects with the reason and what the program said", async () => {
    const command = node("console.error('no space'); process.exitCode = 3");
    await expect(measure(command, { stdout: "keep", signal })).rejects.toThrow(
      /exit status 3\nno space$/,
    );
  });

  it("rejects for a program that does not exist", async () => {
    const command = { program: "tvix-no-such-program", args: ["--now"] };
    await expect(measure(command, { stdout: "keep", signal })).rejects.toThrow(
      /^Cannot run tvix-no-such-program --now: /,
    );
  });

  it("ends the program when it is aborted", async () => {
    const abort = new AbortController();
    const running = measure(node("setTimeout(() => {}, 60_000)"), {
      stdout: "keep",
      signal: abort.signal,
    });
    const reason = new Error("enough");
    abort.abort(reason);
    await expect(running).rejects.toBe(reason);
  });
});
