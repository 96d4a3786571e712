import { describe, expect, it } from "vitest";
import { passedSockets } from "./activation.js";

describe("passedSockets()", () => {
  it("takes the descriptors from 3 on, with their names, and clears the variables", () => {
    const env = { LISTEN_PID: "7", LISTEN_FDS: "3", LISTEN_FDNAMES: "tcp:unix", PATH: "/bin" };
    expect(passedSockets(env, 7)).toEqual([
      { fd: 3, name: "tcp" },
      { fd: 4, name: "unix" },
      { fd: 5, name: "unknown" },
    ]);
    expect(env).toEqual({ PATH: "/bin" });
  });

  it("leaves those of another process alone", () => {
    const env = { LISTEN_PID: "8", LISTEN_FDS: "1" };
    expect(passedSockets(env, 7)).toEqual([]);
    expect(env).toEqual({ LISTEN_PID: "8", LISTEN_FDS: "1" });
  });

  it.each([{}, { LISTEN_PID: "7" }, { LISTEN_FDS: "1" }, { LISTEN_PID: "7", LISTEN_FDS: "0" }])(
    "finds none in %j",
    (env) => {
      expect(passedSockets({ ...env }, 7)).toEqual([]);
    },
  );

  it.each(["-1", "x", "1e2", "65", "99999"])("refuses %j sockets", (count) => {
    expect(() => passedSockets({ LISTEN_PID: "7", LISTEN_FDS: count }, 7)).toThrow(
      `Cannot take the passed sockets: LISTEN_FDS is "${count}"`,
    );
  });
});
