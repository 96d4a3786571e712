import { describe, expect, it } from "vitest";
import { markdownTable } from "./table.js";

describe("markdownTable()", () => {
  it("aligns the first column to the left, the others to the right", () => {
    const table = markdownTable({
      head: ["operation", "tvix"],
      rows: [
        ["T1", "1.20"],
        ["T1 again, unchanged", "0.1"],
      ],
    });
    expect(table).toBe(
      [
        "| operation           | tvix |",
        "| ------------------- | ---: |",
        "| T1                  | 1.20 |",
        "| T1 again, unchanged |  0.1 |",
      ].join("\n"),
    );
  });

  it("aligns as many columns to the left as hold text", () => {
    const table = markdownTable({ head: ["a", "b", "c"], rows: [["1", "2", "3"]], textColumns: 2 });
    expect(table).toBe("| a   | b   |   c |\n| --- | --- | --: |\n| 1   | 2   |   3 |");
  });

  it("keeps a cell in its column whatever is in it", () => {
    expect(markdownTable({ head: ["a"], rows: [["x|y\nz"]] })).toBe(
      "| a      |\n| ------ |\n| x\\|y z |",
    );
  });

  it("refuses a row that does not fit", () => {
    expect(() => markdownTable({ head: ["a", "b"], rows: [["1"]] })).toThrow(RangeError);
  });
});
