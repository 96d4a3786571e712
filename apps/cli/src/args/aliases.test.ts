import { describe, expect, it } from "vitest";
import { withOwnNames } from "./aliases.js";

describe("withOwnNames()", () => {
  it.each([
    [
      ["ls", "--experimental-store-composition", "f"],
      ["ls", "--composition", "f"],
    ],
    [
      ["--experimental-store-composition=f=g", "ls"],
      ["--composition=f=g", "ls"],
    ],
    [
      ["cat", "--", "--experimental-store-composition"],
      ["cat", "--", "--experimental-store-composition"],
    ],
    [
      ["cat", "--experimental-store"],
      ["cat", "--experimental-store"],
    ],
  ])("of %j are %j", (words, own) => {
    expect(withOwnNames(words)).toEqual(own);
  });
});
