import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { toHex } from "../bytes.js";
import { MAX_DIRECTORY_ENTRIES } from "../nodes/directory.js";
import { MAX_SYMLINK_TARGET_LENGTH } from "../nodes/symlink-target.js";
import { MAX_NAME_LENGTH } from "../path/component.js";
import { directoryFixture } from "../testing/fixtures.js";
import { decodeDirectory, encodeDirectory, MAX_DIRECTORY_BYTES } from "./directory-codec.js";
import { MAX_NODE_BYTES } from "./node-codec.js";

const document = readFileSync(
  new URL("../../../../docs/formats/directory.md", import.meta.url),
  "utf8",
);

/** The bytes of the example: hexadecimal digits of each line up to two spaces or more after them. */
function exampleBytes(): Uint8Array {
  const block = /## Example[\s\S]*?```\n([\s\S]*?)```/.exec(document)?.[1] ?? "";
  const digits = block.split("\n").map((line) => /^\s*((?:[0-9a-f]+ ?)*)/.exec(line)?.[1] ?? "");
  return Buffer.from(digits.join("").replaceAll(" ", ""), "hex");
}

describe("docs/formats/directory.md", () => {
  it("has an example that is true", () => {
    const fixture = directoryFixture("COMPLICATED");
    expect(toHex(exampleBytes())).toBe(fixture.encoding);
    expect(toHex(encodeDirectory(decodeDirectory(exampleBytes())))).toBe(fixture.encoding);
    expect(document).toContain(`digest of these ${fixture.encoding.length / 2} bytes`);
    expect(document).toContain(`\`${fixture.digest}\``);
    expect(document).toContain(`\`b3:${fixture.base64}\``);
    expect(document).toContain(`\`${directoryFixture("COMPLICATED (doubled)").digest}\``);
  });

  it.each([
    ["name", MAX_NAME_LENGTH],
    ["target", MAX_SYMLINK_TARGET_LENGTH],
    ["entries of a Directory", MAX_DIRECTORY_ENTRIES],
    ["encoding of a Directory", MAX_DIRECTORY_BYTES],
    ["encoding of a Node", MAX_NODE_BYTES],
  ])("has the limit of a %s", (limit, value) => {
    const row = new RegExp(`^\\| ${limit} \\| ([0-9,]+)`, "m").exec(document);
    expect(Number(row?.[1]?.replaceAll(",", ""))).toBe(value);
  });
});
