import { type CallOptions, escapeBytes } from "@tvix/castore";
import { STORE_DIR, StoreError, StorePath } from "@tvix/store";
import { quote } from "../args/quote.js";
import { wordBytes } from "../args/raw-words.js";
import { CliError, EXIT, UsageError } from "../exit.js";
import { lowerFirst, messageOf } from "../failure.js";
import { readText, STDIN } from "../io/read-input.js";
import type { OpenStore } from "../store/open-store.js";

/** Stands for every path that the store knows. */
const WHOLE_STORE = "store";

/** Longest list that is read, in bytes: about a million paths. */
const MAX_LIST_BYTES = 64 * 1024 * 1024;

const STORE_PREFIX = `${STORE_DIR}/`;
const BASE_NAME = /^[0-9a-df-np-sv-z]{32}-/;

/** The store paths that imports look for. */
export class ReferenceCandidates {
  readonly #paths: StorePath[];
  readonly #wholeStore: boolean;

  private constructor(paths: StorePath[], wholeStore: boolean) {
    this.#paths = paths;
    this.#wholeStore = wholeStore;
  }

  /**
   * Reads the value of the option, and the lists that it names; of the store nothing yet. None are looked
   * for where it was not given.
   *
   * @throws {@link UsageError} for what looks like a store path and is none
   * @throws {@link CliError} for a list that cannot be used
   */
  static async read(option: string | undefined): Promise<ReferenceCandidates> {
    const words = option?.split(",") ?? [];
    const sources = words.filter((word) => word !== WHOLE_STORE).map(parseSource);
    const paths: StorePath[] = [];
    for (const source of sources) {
      if (typeof source !== "string") paths.push(source);
      else for await (const path of readList(source)) paths.push(path);
    }
    return new ReferenceCandidates(paths, words.includes(WHOLE_STORE));
  }

  get paths(): readonly StorePath[] {
    return this.#paths;
  }

  /** Adds the paths of `store`, if all of them were asked for. */
  async addStore({ pathInfos }: Pick<OpenStore, "pathInfos">, options: CallOptions): Promise<void> {
    if (!this.#wholeStore) return;
    for await (const { storePath } of pathInfos.list(options)) this.#paths.push(storePath);
  }

  /** Adds a path that the store has got since, if all of its paths were asked for. */
  addStored(path: StorePath): void {
    if (this.#wholeStore) this.#paths.push(path);
  }
}

/** A store path, or the name of a file with a list of them. */
function parseSource(word: string): StorePath | string {
  if (word === "") throw new UsageError("option --references-from has an empty value");
  const base = word.startsWith(STORE_PREFIX) ? word.slice(STORE_PREFIX.length) : word;
  // What lies inside of a store path is a file like any other.
  const isPath = !base.includes("/") && (base !== word || BASE_NAME.test(base));
  if (!isPath) return word;
  try {
    return StorePath.parse(wordBytes(base));
  } catch (error) {
    if (!StoreError.is(error)) throw error;
    const what = `option --references-from: ${quote(word)} is no store path`;
    throw new UsageError(`${what}: ${lowerFirst(messageOf(error))}`, { cause: error });
  }
}

async function* readList(file: string): AsyncGenerator<StorePath, void, undefined> {
  const list = await readText(file, MAX_LIST_BYTES, () => listError(file, "it is too long"));
  for (const [i, line] of list.split("\n").entries()) {
    const text = line.trim();
    if (text !== "") yield parseLine(text, `line ${i + 1}`, file);
  }
}

function parseLine(text: string, place: string, file: string): StorePath {
  try {
    return text.startsWith("/") ? StorePath.parseAbsolute(text) : StorePath.parse(text);
  } catch (cause) {
    if (!StoreError.is(cause)) throw cause;
    const shown = quote(text.slice(0, 300));
    throw listError(file, `${place} is no store path: ${shown}`, { cause });
  }
}

function listError(file: string, why: string, options?: ErrorOptions): CliError {
  const name = file === STDIN ? "standard input" : `"${escapeBytes(wordBytes(file))}"`;
  return new CliError(EXIT.failed, `cannot read store paths from ${name}: ${why}`, options);
}
