import type { CallOptions } from "@tvix/castore";
import type { PathInfo } from "../path-info.js";
import type { PathInfoService, PutPathInfoOptions } from "../pathinfoservice/path-info-service.js";

/** What a {@link ScriptedPathInfoService} is asked to do. */
export type PathInfoCall = "get" | "put" | "list";

/** Passes calls on, counts them, and does what a test tells it to before it does. */
export class ScriptedPathInfoService implements PathInfoService {
  readonly #inner: PathInfoService;
  readonly calls: PathInfoCall[] = [];
  /** Of the calls, as they came. */
  readonly signals: (AbortSignal | undefined)[] = [];
  /** Is waited for before each call, and before each item of a list; what it throws is thrown. */
  before: (call: PathInfoCall, place: number) => void | Promise<void> = () => {};
  /** What becomes of a path info that is read by itself. */
  change: (pathInfo: PathInfo | undefined) => PathInfo | undefined = (pathInfo) => pathInfo;

  constructor(inner: PathInfoService) {
    this.#inner = inner;
  }

  async get(outputHash: Uint8Array, options: CallOptions = {}): Promise<PathInfo | undefined> {
    await this.#begin("get", options);
    return this.change(await this.#inner.get(outputHash, options));
  }

  async put(pathInfo: PathInfo, options: PutPathInfoOptions = {}): Promise<PathInfo> {
    await this.#begin("put", options);
    return await this.#inner.put(pathInfo, options);
  }

  async *list(options: CallOptions = {}): AsyncGenerator<PathInfo, void, undefined> {
    await this.#begin("list", options);
    let place = 0;
    for await (const pathInfo of this.#inner.list(options)) {
      yield pathInfo;
      await this.before("list", ++place);
    }
  }

  async #begin(call: PathInfoCall, { signal }: CallOptions): Promise<void> {
    this.calls.push(call);
    this.signals.push(signal);
    await this.before(call, 0);
  }
}
