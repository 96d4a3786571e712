import type { B3Digest } from "../digest.js";
import type { Directory, DirectorySizeRule } from "../nodes/directory.js";
import type { DirectoryNode } from "../nodes/node.js";
import { InvalidDirectoryClosureError } from "./closure-error.js";

/** What a Directory is by either rule. */
export interface DirectorySizes {
  readonly documented: bigint;
  readonly doubled: bigint;
}

/** Both sizes of `directory`. */
export function sizesOf(directory: Directory): DirectorySizes {
  return { documented: directory.size("documented"), doubled: directory.size("doubled") };
}

/**
 * Checks that the sizes in the nodes of one closure are those of the children, all by the same rule.
 * Which one is not given: the first child that is not empty shows it, for the rules differ by the
 * number of its entries.
 *
 * @internal
 */
export class SizeConsistency {
  #rule: DirectorySizeRule | undefined;

  readonly #code: "INVALID_ARGUMENT" | "CORRUPT";

  /** @param code - of the errors */
  constructor(code: "INVALID_ARGUMENT" | "CORRUPT") {
    this.#code = code;
  }

  /**
   * Checks the size that `parent` gives a child.
   *
   * @param sizes - what the child really is
   * @throws {@link InvalidDirectoryClosureError} with reason "wrong-size" or "mixed-size-rules"
   */
  check(parent: B3Digest, node: DirectoryNode, sizes: DirectorySizes): void {
    const reason = this.#judge(node.size, sizes);
    if (reason === undefined) return;
    const state =
      reason === "wrong-size"
        ? `it is ${sizes.documented}, or ${sizes.doubled} by the doubled rule`
        : "other sizes in the closure follow the other rule";
    throw new InvalidDirectoryClosureError(
      this.#code,
      reason,
      `${parent} gives ${node.digest} the size ${node.size}, but ${state}`,
    );
  }

  #judge(size: bigint, sizes: DirectorySizes): "wrong-size" | "mixed-size-rules" | undefined {
    if (sizes.documented === sizes.doubled) {
      return size === sizes.documented ? undefined : "wrong-size";
    }
    const rule = ruleOf(size, sizes);
    if (rule === undefined) return "wrong-size";
    this.#rule ??= rule;
    return rule === this.#rule ? undefined : "mixed-size-rules";
  }
}

function ruleOf(size: bigint, sizes: DirectorySizes): DirectorySizeRule | undefined {
  if (size === sizes.documented) return "documented";
  return size === sizes.doubled ? "doubled" : undefined;
}
