import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Operation } from "./operations.js";
import { Recorder } from "./recorder.js";
import type { Tool } from "./tool.js";

const operation: Operation = {
  id: "add-t1",
  title: "T1",
  store: "main",
  adds: true,
  repeat: 1,
  command: () => undefined,
};

function tool(id: "tvix" | "nix"): Tool {
  const command = () => ({ program: id, args: [] });
  return {
    id,
    label: id,
    version: "1",
    source: "",
    prepare: () => [],
    add: command,
    check: command,
    content: (store) => store,
    printsStorePath: true,
  };
}

describe("Recorder", () => {
  it("gathers the measurements of an operation with a tool, and leaves out what is not known", () => {
    const recorder = new Recorder();
    const result = { wallSeconds: 1, cpuSeconds: undefined, peakBytes: 5, stdout: "" };
    recorder.add(operation, tool("tvix"), result);
    recorder.add(operation, tool("nix"), result);
    recorder.add(operation, tool("tvix"), { ...result, wallSeconds: 2, cpuSeconds: 3 });
    expect(recorder.cells).toEqual([
      {
        operation: "add-t1",
        tool: "tvix",
        wallSeconds: [1, 2],
        cpuSeconds: [3],
        peakBytes: [5, 5],
      },
      { operation: "add-t1", tool: "nix", wallSeconds: [1], cpuSeconds: [], peakBytes: [5] },
    ]);
  });

  it("refuses a store path that differs from that of another tool", () => {
    const recorder = new Recorder();
    recorder.checkStorePath(operation, tool("tvix"), "/nix/store/a");
    recorder.checkStorePath(operation, tool("nix"), "/nix/store/a");
    recorder.checkStorePath({ ...operation, id: "add-t2" }, tool("nix"), "/nix/store/b");
    expect(() => recorder.checkStorePath(operation, tool("nix"), "/nix/store/c")).toThrow(
      /^T1: the store paths differ: "\/nix\/store\/a" of tvix, "\/nix\/store\/c" of nix$/,
    );
  });

  it("measures the size of a store once", () => {
    const store = mkdtempSync(join(tmpdir(), "tvix-bench-recorder-"));
    try {
      const recorder = new Recorder();
      writeFileSync(join(store, "a"), "12345");
      recorder.addSize(operation, tool("tvix"), store);
      writeFileSync(join(store, "b"), "12345");
      recorder.addSize(operation, tool("tvix"), store);
      expect(recorder.sizes).toHaveLength(1);
      expect(recorder.sizes[0]).toMatchObject({ operation: "add-t1", tool: "tvix", bytes: 5 });
    } finally {
      rmSync(store, { recursive: true });
    }
  });
});
