import { describe, expect, it } from "vitest";
import { Life, type LifeState } from "./life.js";

function after(...states: readonly LifeState[]): Life {
  const life = new Life();
  for (const state of states) life.become(state);
  return life;
}

describe("Life", () => {
  it.each<[LifeState[], boolean]>([
    [[], false],
    [["listening"], true],
    [["listening", "ready"], true],
    [["listening", "ready", "reloading"], true],
    [["listening", "ready", "reloading", "ready"], true],
    [["listening", "ready", "draining"], false],
    [["listening", "ready", "reloading", "draining"], false],
    [["listening", "ready", "draining", "stopped"], false],
    [["listening", "draining"], false],
  ])("after %j serves calls: %s", (states, expected) => {
    expect(after(...states).isServing).toBe(expected);
  });

  it.each<[LifeState[], LifeState]>([
    [[], "reloading"],
    [["listening", "ready"], "stopped"],
    [["listening", "ready"], "ready"],
    [["listening", "ready", "draining"], "ready"],
    [["listening", "ready", "draining"], "draining"],
    [[], "ready"],
    [[], "draining"],
    [["listening"], "reloading"],
  ])("after %j does not become %s", (states, next) => {
    const life = after(...states);
    const { state } = life;
    expect(() => life.become(next)).toThrow(`A daemon that is ${state} cannot become ${next}`);
    expect(life.state).toBe(state);
  });

  it("tells every change, in order", () => {
    const life = new Life();
    const told: string[] = [];
    life.onChange((state) => told.push(`first ${state}`));
    life.onChange((state) => told.push(`second ${state}, ${life.state}`));
    life.become("listening");
    life.become("draining");
    expect(told).toEqual([
      "first listening",
      "second listening, listening",
      "first draining",
      "second draining, draining",
    ]);
  });
});
