import { describe, expect, it } from "vitest";
import type { Field, FieldContext } from "./field.js";
import * as fields from "./fields.js";

const CONTEXT: FieldContext = {
  resolvePath: (path) => `/base/${path}`,
  reference: (kind, text) => ({ kind, label: text }),
};

const ref = (label: string) => ({ kind: "blobs", label });

describe("fields", () => {
  it.each<[string, Field<unknown>, unknown, unknown]>([
    ["text", fields.text(), "a", "a"],
    ["path", fields.path(), "x", "/base/x"],
    ["flag", fields.flag(), true, true],
    ["flag of an address", fields.flag(), "0", false],
    ["count", fields.count(1, 5), 5, 5],
    ["count of an address", fields.count(1, 5), "3", 3],
    ["time", fields.time(), "5m", 300_000],
    ["size", fields.size(), "2KiB", 2048],
    ["choice", fields.choice(["a", "b"]), "b", "b"],
    ["service", fields.service("blobs"), "&a", ref("&a")],
    ["services", fields.services("blobs"), ["a", "b"], [ref("a"), ref("b")]],
    ["services of an address", fields.services("blobs"), "a  b", [ref("a"), ref("b")]],
    ["services with ranks", fields.services("blobs"), { a: 7, b: 2 }, [ref("b"), ref("a")]],
    ["optional, absent", fields.optional(fields.text()), undefined, undefined],
    ["optional, there", fields.optional(fields.text()), "a", "a"],
    ["defaulted, absent", fields.defaulted(fields.time(), "1s"), undefined, 1000],
    ["defaulted, there", fields.defaulted(fields.time(), "1s"), "2s", 2000],
  ])("read %s", (_, field, written, value) => {
    expect(field.parse(written, CONTEXT)).toEqual(value);
  });

  it.each<[string, Field<unknown>, unknown, string]>([
    ["text", fields.text(), "", "must be text, not empty"],
    ["path", fields.path(), "a\0", "must be a path"],
    ["flag", fields.flag(), 1, "must be true or false, but it is 1"],
    ["count", fields.count(1, 5), 6, "from 1 to 5"],
    ["count", fields.count(1, 5), 1.5, "from 1 to 5"],
    ["count", fields.count(1, 5), "", "from 1 to 5"],
    ["time", fields.time(), "0s", "from 1ms"],
    ["time", fields.time(), 5, 'such as "500ms"'],
    ["size", fields.size(), "5", 'such as "64MiB"'],
    ["choice", fields.choice(["a", "b"]), "c", 'must be "a" or "b", but it is "c"'],
    ["service", fields.service("blobs"), 5, "name of a service"],
    ["services", fields.services("blobs"), [], "not empty"],
    ["services", fields.services("blobs"), ["a", 5], "list of services"],
    ["services", fields.services("blobs"), { a: 1, b: 1 }, "whole number of its own"],
    ["services", fields.services("blobs"), { a: "x" }, "whole number of its own"],
    ["what holds a password", fields.count(1, 5), "http://me:secret@host", "***@host"],
  ])("refuse %s", (_, field, written, problem) => {
    expect(() => field.parse(written, CONTEXT)).toThrow(problem);
  });
});
