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
    [["ready"], true],
    [["ready", "reloading"], true],
    [["ready", "reloading", "ready"], true],
    [["ready", "draining"], false],
    [["ready", "reloading", "draining"], false],
    [["ready", "draining", "stopped"], false],
    [["draining"], false],
    [["stopped"], false],
  ])("after %j serves calls: %s", (states, expected) => {
    expect(after(...states).isServing).toBe(expected);
  });

  it.each<[LifeState[], LifeState]>([
    [[], "reloading"],
    [["ready"], "stopped"],
    [["ready"], "ready"],
    [["ready", "draining"], "ready"],
    [["ready", "draining"], "draining"],
    [["stopped"], "ready"],
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
    life.become("ready");
    life.become("draining");
    expect(told).toEqual([
      "first ready",
      "second ready, ready",
      "first draining",
      "second draining, draining",
    ]);
  });
});
