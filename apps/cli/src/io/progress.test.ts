import { describe, expect, it } from "vitest";
import { Diagnostics } from "./diagnostics.js";
import { Progress } from "./progress.js";

function terminal(columns = 80) {
  const written: string[] = [];
  const stream = { isTTY: true, columns, write: (text: string) => written.push(text) };
  return { written, stream };
}

describe("Diagnostics", () => {
  it("draws a line over the last one", () => {
    const { written, stream } = terminal();
    const stderr = new Diagnostics(stream);
    stderr.status("one");
    stderr.status("two");
    stderr.status("");
    expect(written).toEqual(["\r\x1b[Kone", "\r\x1b[Ktwo", "\r\x1b[K"]);
  });

  it("puts messages above it", () => {
    const { written, stream } = terminal();
    const stderr = new Diagnostics(stream);
    stderr.status("busy");
    stderr.line("note");
    expect(written.join("")).toBe("\r\x1b[Kbusy\r\x1b[Knote\n\r\x1b[Kbusy");
  });

  it("keeps within the width of the terminal", () => {
    const { written, stream } = terminal(10);
    new Diagnostics(stream).status("0123456789abcdef");
    expect(written).toEqual(["\r\x1b[K012345678"]);
  });

  it("takes 80 columns for a terminal without a width", () => {
    const { written, stream } = terminal(0);
    new Diagnostics(stream).status("x".repeat(100));
    expect(written).toEqual([`\r\x1b[K${"x".repeat(79)}`]);
  });

  it.each([
    ["a pipe", { isTTY: false }, false],
    ["a dumb terminal", { isTTY: true }, true],
  ])("writes nothing but messages to %s", (_, properties, dumb) => {
    const written: string[] = [];
    const stderr = new Diagnostics({ ...properties, write: (text) => written.push(text) }, dumb);
    stderr.status("busy");
    stderr.line("note");
    expect(written).toEqual(["note\n"]);
  });
});

describe("Progress", () => {
  it("draws at most ten times a second", () => {
    const { written, stream } = terminal();
    let now = 0;
    const progress = new Progress(new Diagnostics(stream), { now: () => now });
    for (now = 0; now < 1000; now++) progress.update(() => `at ${now}`);
    expect(written).toHaveLength(10);
    expect(written[0]).toContain("at 0");
  });

  it("renders only what it draws", () => {
    let rendered = 0;
    const hidden = new Progress(new Diagnostics(terminal().stream), { hidden: true });
    hidden.update(() => `${rendered++}`);
    const piped = new Progress(new Diagnostics({ write: () => {} }));
    piped.update(() => `${rendered++}`);
    expect(rendered).toBe(0);
  });

  it("leaves a clean line", () => {
    const { written, stream } = terminal();
    {
      using progress = new Progress(new Diagnostics(stream));
      progress.update(() => "busy");
    }
    expect(written.at(-1)).toBe("\r\x1b[K");
  });
});
