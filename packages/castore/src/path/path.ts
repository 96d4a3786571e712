import { toUtf8 } from "../bytes.js";
import { CastoreError } from "../errors.js";
import { PathComponent } from "./component.js";

const SLASH = 0x2f;

/**
 * A relative path of zero or more names. The empty path is the place it starts from. It has no
 * leading or trailing slash, no empty, `.` or `..` parts: it can only lead down.
 */
export class Path {
  readonly components: readonly PathComponent[];

  private constructor(components: readonly PathComponent[]) {
    this.components = components;
  }

  /** The place a path starts from. */
  static readonly EMPTY: Path = new Path([]);

  /** The path of these names. */
  static of(...components: readonly PathComponent[]): Path {
    return new Path([...components]);
  }

  /**
   * Reads names that are joined by single slashes.
   *
   * @throws {@link CastoreError} with code "INVALID_ARGUMENT" on an absolute path, an empty part or
   *   an invalid name
   */
  static fromBytes(bytes: Uint8Array): Path {
    if (bytes.byteLength === 0) return Path.EMPTY;
    const components: PathComponent[] = [];
    for (let start = 0; start <= bytes.byteLength; ) {
      const slash = bytes.indexOf(SLASH, start);
      const end = slash === -1 ? bytes.byteLength : slash;
      if (end === start) {
        throw new CastoreError(
          "INVALID_ARGUMENT",
          "Invalid path: it must be relative, without empty parts or a slash at the end",
        );
      }
      components.push(PathComponent.fromBytes(bytes.subarray(start, end)));
      start = end + 1;
    }
    return new Path(components);
  }

  /** {@link fromBytes} of the UTF-8 bytes of `text`. */
  static parse(text: string): Path {
    return Path.fromBytes(toUtf8(text));
  }

  /** The path to `component` in the place that this one leads to. */
  join(component: PathComponent): Path {
    return new Path([...this.components, component]);
  }

  /** The path without its last name; `undefined` for the empty path. */
  get parent(): Path | undefined {
    return this.components.length === 0 ? undefined : new Path(this.components.slice(0, -1));
  }

  /** The last name; `undefined` for the empty path. */
  get fileName(): PathComponent | undefined {
    return this.components.at(-1);
  }

  /** The names joined by slashes, as {@link fromBytes} reads them. */
  toBytes(): Uint8Array {
    const slashes = Math.max(0, this.components.length - 1);
    const names = this.components.reduce((length, name) => length + name.byteLength, 0);
    const bytes = new Uint8Array(names + slashes).fill(SLASH);
    let offset = 0;
    for (const name of this.components) {
      name.writeTo(bytes, offset);
      offset += name.byteLength + 1;
    }
    return bytes;
  }

  /** The path for people: escaped where it is not printable UTF-8. */
  toString(): string {
    return this.components.join("/");
  }
}
