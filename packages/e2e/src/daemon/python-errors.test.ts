import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PythonClient, type PythonLine, pythonMissing } from "./python-client.js";
import { type Daemon, startDaemon } from "./start-daemon.js";

let daemon: Daemon;
let python: PythonClient;

beforeAll(async () => {
  if (pythonMissing !== undefined) return;
  [daemon, python] = await Promise.all([startDaemon(), PythonClient.create()]);
});

afterAll(async () => {
  await python?.[Symbol.asyncDispose]();
  await daemon?.[Symbol.asyncDispose]();
});

/** Status and, where clients may look at it, text; as tvix answers. */
const EXPECTED: readonly (readonly [string, string, RegExp?])[] = [
  ["Stat: digest of 31 bytes", "INVALID_ARGUMENT", /invalid digest length/],
  ["Stat: no digest", "INVALID_ARGUMENT", /invalid digest length/],
  ["Stat: absent", "NOT_FOUND", /^blob \S+ not found$/],
  ["Read: digest of 31 bytes", "INVALID_ARGUMENT", /invalid digest length/],
  ["Read: no digest", "INVALID_ARGUMENT", /invalid digest length/],
  ["Read: absent", "NOT_FOUND", /^blob \S+ not found$/],
  ["Directory.Get: nothing asked for", "INVALID_ARGUMENT", /invalid by_what/],
  ["Directory.Get: nothing asked for, recursive", "INVALID_ARGUMENT", /invalid by_what/],
  ["Directory.Get: digest of 31 bytes", "INVALID_ARGUMENT", /invalid digest length/],
  ["Directory.Get: digest of 31 bytes, recursive", "INVALID_ARGUMENT", /invalid digest length/],
  ["Directory.Get: absent", "NOT_FOUND", /^directory \S+ not found$/],
  ["Directory.Get: absent, recursive", "OK"],
  ["Directory.Put: no directory", "INTERNAL"],
  ["Directory.Put: empty name", "INTERNAL"],
  ["Directory.Put: name .", "INTERNAL"],
  ["Directory.Put: name ..", "INTERNAL"],
  ["Directory.Put: name with a slash", "INTERNAL"],
  ["Directory.Put: name with a NUL", "INTERNAL"],
  ["Directory.Put: name of 256 bytes", "INTERNAL"],
  ["Directory.Put: names out of order", "INTERNAL"],
  ["Directory.Put: same name twice", "INTERNAL"],
  ["Directory.Put: same name in two lists", "INTERNAL"],
  ["Directory.Put: digest of 31 bytes", "INTERNAL"],
  ["Directory.Put: no symlink target", "INTERNAL"],
  ["Directory.Put: symlink target with a NUL", "INTERNAL"],
  ["Directory.Put: sizes that overflow", "INTERNAL"],
  ["Directory.Put: child that was not sent", "INTERNAL"],
  ["Directory.Put: child after its parent", "INTERNAL"],
  ["Directory.Put: child of another size", "INTERNAL"],
  ["Directory.Put: two roots", "INTERNAL"],
  ["Directory.Put: one that nothing refers to", "INTERNAL"],
  ["PathInfo.Get: nothing asked for", "UNIMPLEMENTED", /by_what/],
  ["PathInfo.Get: hash of 19 bytes", "INVALID_ARGUMENT", /invalid output digest length/],
  ["PathInfo.Get: hash of 32 bytes", "INVALID_ARGUMENT", /invalid output digest length/],
  ["PathInfo.Get: absent", "NOT_FOUND", /not found/],
  ["PathInfo.Put: no narinfo", "INVALID_ARGUMENT", /invalid path info/i],
  ["PathInfo.Put: reference of 19 bytes", "INVALID_ARGUMENT", /invalid path info/i],
  ["PathInfo.Put: reference without a name", "INVALID_ARGUMENT", /invalid path info/i],
  ["PathInfo.Put: name that is no store path", "INVALID_ARGUMENT", /invalid path info/i],
  ["PathInfo.Put: name of another reference", "INVALID_ARGUMENT", /invalid path info/i],
  ["PathInfo.Put: no node", "INVALID_ARGUMENT", /invalid path info/i],
  ["PathInfo.Put: digest of 31 bytes", "INVALID_ARGUMENT", /invalid path info/i],
  ["PathInfo.Put: node that is no store path", "INVALID_ARGUMENT", /invalid path info/i],
  ["PathInfo.Put: NAR hash of 31 bytes", "INVALID_ARGUMENT", /invalid path info/i],
  ["PathInfo.Put: deriver of 19 bytes", "INVALID_ARGUMENT", /invalid path info/i],
  ["PathInfo.Put: signature of 63 bytes", "INVALID_ARGUMENT", /invalid path info/i],
  ["PathInfo.Put: content address of another length", "INVALID_ARGUMENT", /invalid path info/i],
  ["PathInfo.Put: unknown kind of content address", "INVALID_ARGUMENT", /invalid path info/i],
  ["CalculateNAR: no node", "INVALID_ARGUMENT", /invalid root node/i],
  ["CalculateNAR: node with a name", "INVALID_ARGUMENT", /invalid root node/i],
  ["CalculateNAR: digest of 31 bytes", "INVALID_ARGUMENT", /invalid root node/i],
  ["unknown: /tvix.castore.v1.BlobService/Remove", "UNIMPLEMENTED"],
  ["unknown: /other.v1.Service/Stat", "UNIMPLEMENTED"],
];

/** Any text will do where nothing is said about it; a call that works answers with nothing here. */
const CASES = EXPECTED.map(([name, code, text = code === "OK" ? /^\[\]$/ : /\S/]) => {
  return { name, code, text };
});

/** Where tvix's answer follows from its libraries, not from what it wants to say. */
const FAILING: readonly string[] = [
  "CalculateNAR: blob that is not there",
  "CalculateNAR: directory that is not there",
  "CalculateNAR: blob of another size",
  "a message that is no message",
  "a message that is no message in a stream",
];

describe.skipIf(pythonMissing !== undefined).each(["tvix", "snix"])(
  "statuses that grpcio in Python gets from %s.*",
  (owner) => {
    let lines: ReadonlyMap<string, PythonLine>;

    beforeAll(async () => {
      lines = await python.run("errors.py", `${daemon.host}:${daemon.port}`, owner);
    });

    it.each(CASES)("$name: $code", ({ name, code, text }) => {
      expect(lines.get(name)).toEqual({ name, code, details: expect.stringMatching(text) });
    });

    it.each(FAILING)("%s: an error with a text", (name) => {
      const line = lines.get(name);
      expect(line).toMatchObject({ details: expect.stringMatching(/\S/) });
      expect(["OK", "UNKNOWN", "UNAVAILABLE"]).not.toContain(line?.["code"]);
    });

    it("has nothing else in it", () => {
      const expected = [...EXPECTED.map(([name]) => name), ...FAILING, "leaf"];
      expect([...lines.keys()].sort()).toEqual(expected.sort());
    });
  },
);
