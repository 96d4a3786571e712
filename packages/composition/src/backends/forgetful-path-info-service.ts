import type { PathInfo, PathInfoService } from "@tvix/store";

/** Remembers nothing: for a cache of Nix whose path infos are kept by whoever asks it, if at all. */
export class ForgetfulPathInfoService implements PathInfoService {
  async get(): Promise<undefined> {
    return undefined;
  }

  async put(pathInfo: PathInfo): Promise<PathInfo> {
    return pathInfo;
  }

  async *list(): AsyncGenerator<PathInfo, void, undefined> {}
}
