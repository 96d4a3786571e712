import { toUtf8 } from "@tvix/castore";
import { describe, expect, it } from "vitest";
import {
  isCompressible,
  MEDIA_TYPE_BYTES,
  mediaTypeOfContent,
  mediaTypeOfName,
} from "./media-type.js";

describe("mediaTypeOfName()", () => {
  it.each([
    ["index.html", "text/html"],
    ["INDEX.HTM", "text/html"],
    ["a.b.png", "image/png"],
    [".css", "text/css; charset=utf-8"],
    ["lib.so.1", undefined],
    ["README", undefined],
    ["toString.constructor", undefined],
    ["", undefined],
  ])("takes %j for %j", (name, type) => {
    expect(mediaTypeOfName(name)).toBe(type);
  });
});

describe("mediaTypeOfContent()", () => {
  const text = "text/plain; charset=utf-8";
  const bytes = "application/octet-stream";
  const cut = toUtf8(`${"x".repeat(MEDIA_TYPE_BYTES - 1)}é`).subarray(0, MEDIA_TYPE_BYTES);
  it.each([
    ["nothing", new Uint8Array(0), text],
    ["HTML without a name", toUtf8("<script>alert(1)</script>"), text],
    ["a log with colours", toUtf8("\x1b[1mok\x1b[0m\t\r\n"), text],
    ["a character that is cut in two", cut, text],
    ["Latin-1", Uint8Array.of(0x61, 0xe9, 0x62), bytes],
    ["a NUL", toUtf8("#!/bin/sh\0"), bytes],
    ["an ELF file", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46), bytes],
  ])("knows %s", (_, content, type) => {
    expect(mediaTypeOfContent(content)).toBe(type);
  });
});

describe("isCompressible()", () => {
  it.each(["text/html", "text/plain; charset=utf-8", "image/svg+xml", "application/json"])(
    "is true for %s",
    (type) => {
      expect(isCompressible(type)).toBe(true);
    },
  );

  it.each(["image/png", "application/gzip", "video/mp4", "font/woff2"])(
    "is false for %s",
    (type) => {
      expect(isCompressible(type)).toBe(false);
    },
  );
});
