import { describe, expect, it } from "vitest";
import { ManualClock } from "../testing/manual-clock.js";
import { type HealthTicket, StoreHealth } from "./store-health.js";

function health() {
  const clock = new ManualClock();
  const store = new StoreHealth({
    failures: 3,
    retryAfterMs: 100,
    maxRetryAfterMs: 300,
    clock,
  });
  const begin = (): HealthTicket => {
    const ticket = store.begin();
    if (ticket === undefined) expect.fail("The store rests");
    return ticket;
  };
  const fail = (times: number): void => {
    for (let i = 0; i < times; i++) begin().failed(new Error(`failure ${i}`));
  };
  return { clock, store, begin, fail };
}

describe("StoreHealth", () => {
  it("rests after so many failures in a row, not before", () => {
    const { store, begin, fail } = health();
    fail(2);
    begin().succeeded();
    fail(2);
    expect(store.isResting).toBe(false);
    fail(1);
    expect(store.isResting).toBe(true);
    expect(store.begin()).toBeUndefined();
    expect(store.lastError).toEqual(new Error("failure 0"));
  });

  it("lets one call through after a while, and all when that succeeds", () => {
    const { clock, store, begin, fail } = health();
    fail(3);
    clock.advance(99);
    expect(store.begin()).toBeUndefined();
    clock.advance(1);
    const probe = begin();
    expect(store.begin()).toBeUndefined();
    probe.succeeded();
    fail(2);
    expect(store.isResting).toBe(false);
  });

  it("rests twice as long each time, up to a limit", () => {
    const { clock, store, begin, fail } = health();
    fail(3);
    clock.advance(100);
    for (const rest of [200, 300, 300]) {
      begin().failed(new Error("still down"));
      clock.advance(rest - 1);
      expect(store.isResting).toBe(true);
      clock.advance(1);
      expect(store.isResting).toBe(false);
    }
    begin().succeeded();
    fail(3);
    clock.advance(100);
    expect(store.isResting).toBe(false);
  });

  it("lets another call through when the caller of the one before gave up", () => {
    const { clock, store, begin, fail } = health();
    fail(3);
    clock.advance(100);
    begin().abandoned();
    expect(store.isResting).toBe(false);
    begin().succeeded();
    expect(store.isResting).toBe(false);
  });

  it("does not count an abort, nor what a ticket is told after its end", () => {
    const { store, begin } = health();
    for (let i = 0; i < 10; i++) begin().abandoned();
    const ticket = begin();
    ticket.succeeded();
    for (let i = 0; i < 10; i++) ticket.failed(new Error("late"));
    expect(store.isResting).toBe(false);
  });

  it("rests no longer for failures of calls that were under way when it began to", () => {
    const { clock, store, begin, fail } = health();
    const late = Array.from({ length: 10 }, begin);
    fail(3);
    clock.advance(50);
    for (const ticket of late) ticket.failed(new Error("down"));
    clock.advance(50);
    expect(store.isResting).toBe(false);
  });
});
