import { describe, expect, it } from "vitest";
import { ManualClock } from "../testing/manual-clock.js";
import { NegativeAnswers } from "./negative-answers.js";

describe("NegativeAnswers", () => {
  it("remembers for as long as it is told", () => {
    const clock = new ManualClock();
    const answers = new NegativeAnswers(1000, clock);
    expect(answers.has("a")).toBe(false);
    answers.add("a");
    clock.advance(999);
    expect(answers.has("a")).toBe(true);
    clock.advance(1);
    expect(answers.has("a")).toBe(false);
  });

  it("counts from the last time", () => {
    const clock = new ManualClock();
    const answers = new NegativeAnswers(1000, clock);
    answers.add("a");
    clock.advance(600);
    answers.add("a");
    clock.advance(600);
    expect(answers.has("a")).toBe(true);
  });

  it("forgets what is there now, and remembers nothing for no time", () => {
    const answers = new NegativeAnswers(1000, new ManualClock());
    answers.add("a");
    answers.delete("a");
    expect(answers.has("a")).toBe(false);
    const none = new NegativeAnswers(0, new ManualClock());
    none.add("a");
    expect(none.has("a")).toBe(false);
  });

  it("keeps at most 100,000, the newest", () => {
    const answers = new NegativeAnswers(1000, new ManualClock());
    for (let i = 0; i <= 100_000; i++) answers.add(String(i));
    expect([answers.has("0"), answers.has("1"), answers.has("100000")]).toEqual([
      false,
      true,
      true,
    ]);
  });
});
