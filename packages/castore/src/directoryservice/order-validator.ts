import type { B3Digest } from "../digest.js";
import type { Directory } from "../nodes/directory.js";
import type { DirectoryNode } from "../nodes/node.js";
import { digestDirectory } from "../wire/directory-digest.js";
import {
  InvalidDirectoryClosureError,
  type InvalidDirectoryClosureReason,
} from "./closure-error.js";
import { type DirectorySizes, SizeConsistency, sizesOf } from "./size-consistency.js";

/** A Directory that a validator has let through, with what it had to compute for that. */
export interface ValidatedDirectory {
  readonly digest: B3Digest;
  /** The canonical encoding, which `digest` is of. */
  readonly encoded: Uint8Array;
  /** Whether the same Directory came before in this stream. */
  readonly repeated: boolean;
}

/**
 * Validates a closure on its way into a store, leaves first: every child has come before its parent
 * in this stream, sizes are true by one of the two rules throughout, and in the end one Directory
 * has no parent. The same Directory may come again. An error closes the validator.
 */
export class LeavesToRootValidator {
  readonly #sizes = new SizeConsistency("INVALID_ARGUMENT");
  readonly #known = new Map<string, DirectorySizes>();
  /** Those that none of the others refers to so far. */
  readonly #roots = new Map<string, B3Digest>();
  #closed = false;

  /**
   * Takes the next Directory.
   *
   * @throws {@link InvalidDirectoryClosureError} with reason "unknown-child", "wrong-size",
   *   "mixed-size-rules" or "closed"
   */
  add(directory: Directory): ValidatedDirectory {
    this.#close();
    const { digest, encoded } = digestDirectory(directory);
    const repeated = this.#known.has(digest.key);
    if (!repeated) this.#accept(digest, directory);
    this.#closed = false;
    return { digest, encoded, repeated };
  }

  /**
   * Ends the closure.
   *
   * @returns the digest of its root: the Directory that came last, repetitions aside
   * @throws {@link InvalidDirectoryClosureError} with reason "empty", "multiple-roots" or "closed"
   */
  finalize(): B3Digest {
    this.#close();
    const [root, ...others] = this.#roots.values();
    if (root === undefined) throw refusal("empty", "no directories received");
    if (others.length > 0) {
      throw refusal(
        "multiple-roots",
        `${others.length + 1} directories have no parent, among them ${root} and ${others[0]}`,
      );
    }
    return root;
  }

  #accept(digest: B3Digest, directory: Directory): void {
    for (const { name, node } of directory.entries) {
      if (node.type !== "directory") continue;
      const child = this.#known.get(node.digest.key);
      if (child === undefined) {
        throw refusal("unknown-child", `${digest} has "${name}" (${node.digest}) before it came`);
      }
      this.#sizes.check(digest, node, child);
      this.#roots.delete(node.digest.key);
    }
    this.#known.set(digest.key, sizesOf(directory));
    this.#roots.set(digest.key, digest);
  }

  #close(): void {
    if (this.#closed) throw refusal("closed", "it has ended or failed already");
    this.#closed = true;
  }
}

/** A Directory that has been referred to and has not come yet. */
interface ExpectedDirectory {
  readonly digest: B3Digest;
  /** Who refers to it and how; `undefined` for the root. */
  readonly edge: { readonly parent: B3Digest; readonly node: DirectoryNode } | undefined;
}

/**
 * Validates a closure on its way out of a service, root first: what comes is the root or a child of
 * one that came before, sizes are true by one of the two rules throughout, and in the end nothing is
 * missing. The same Directory may come again. An error closes the validator.
 */
export class RootToLeavesValidator {
  readonly #sizes = new SizeConsistency("CORRUPT");
  readonly #received = new Map<string, DirectorySizes>();
  readonly #expected = new Map<string, ExpectedDirectory>();
  #closed = false;

  constructor(root: B3Digest) {
    this.#expected.set(root.key, { digest: root, edge: undefined });
  }

  /** Whether that Directory has been referred to and has not come yet. */
  expects(digest: B3Digest): boolean {
    return this.#expected.has(digest.key);
  }

  /**
   * Takes the next Directory.
   *
   * @throws {@link InvalidDirectoryClosureError} with reason "unexpected-directory", "wrong-size",
   *   "mixed-size-rules" or "closed"
   */
  add(directory: Directory): ValidatedDirectory {
    this.#close();
    const { digest, encoded } = digestDirectory(directory);
    const repeated = this.#received.has(digest.key);
    if (!repeated) this.#accept(digest, directory);
    this.#closed = false;
    return { digest, encoded, repeated };
  }

  /**
   * Ends the closure.
   *
   * @returns "absent" when nothing came at all: the root is not stored there
   * @throws {@link InvalidDirectoryClosureError} with reason "incomplete" or "closed"
   */
  finalize(): "complete" | "absent" {
    this.#close();
    if (this.#received.size === 0) return "absent";
    const [missing] = this.#expected.values();
    if (missing === undefined) return "complete";
    throw failure(
      "incomplete",
      `${this.#expected.size} directories did not come, among them ${missing.digest}`,
    );
  }

  #accept(digest: B3Digest, directory: Directory): void {
    const expected = this.#expected.get(digest.key);
    if (expected === undefined) {
      throw failure("unexpected-directory", `nothing refers to ${digest}`);
    }
    const sizes = sizesOf(directory);
    const { edge } = expected;
    if (edge !== undefined) this.#sizes.check(edge.parent, edge.node, sizes);
    this.#expected.delete(digest.key);
    this.#received.set(digest.key, sizes);
    for (const { node } of directory.entries) {
      if (node.type === "directory") this.#expect(digest, node);
    }
  }

  #expect(parent: B3Digest, node: DirectoryNode): void {
    const received = this.#received.get(node.digest.key);
    if (received !== undefined) {
      this.#sizes.check(parent, node, received);
      return;
    }
    const edge = this.#expected.get(node.digest.key)?.edge;
    if (edge === undefined) {
      this.#expected.set(node.digest.key, { digest: node.digest, edge: { parent, node } });
    } else if (edge.node.size !== node.size) {
      // Under one rule a Directory has one size, so one of the two is wrong whatever comes.
      throw failure(
        "wrong-size",
        `${edge.parent} gives ${node.digest} the size ${edge.node.size}, ${parent} ${node.size}`,
      );
    }
  }

  #close(): void {
    if (this.#closed) throw failure("closed", "it has ended or failed already");
    this.#closed = true;
  }
}

function refusal(
  reason: InvalidDirectoryClosureReason,
  message: string,
): InvalidDirectoryClosureError {
  return new InvalidDirectoryClosureError("INVALID_ARGUMENT", reason, message);
}

function failure(
  reason: InvalidDirectoryClosureReason,
  message: string,
): InvalidDirectoryClosureError {
  return new InvalidDirectoryClosureError("CORRUPT", reason, message);
}
