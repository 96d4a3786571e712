import { spawnSync } from "node:child_process";
import { closeSync, openSync, statSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { encodeNixBase32 } from "@tvix/store";
import { writeSeededFile } from "../primitives/seeded-bytes.js";
import { sha256OfFile } from "../sha256-of-file.js";

/** A NAR in a file. */
export interface NarFile {
  readonly file: string;
  readonly bytes: number;
  /** Where a cache has it. */
  readonly path: string;
}

/** A NAR of one file with so many bytes that do not compress, made by `nix-store --dump`. */
export function makeNarFile(folder: string, contentBytes: number): NarFile {
  const content = join(folder, `content-${contentBytes}`);
  const file = join(folder, `${contentBytes}.nar`);
  writeSeededFile(content, { seed: `nar ${contentBytes}`, length: contentBytes });
  dump(content, file);
  unlinkSync(content);
  const hash = encodeNixBase32(sha256OfFile(file));
  return { file, bytes: statSync(file).size, path: `/nar/${hash}.nar` };
}

function dump(path: string, file: string): void {
  const fd = openSync(file, "wx");
  try {
    const { status } = spawnSync("nix-store", ["--dump", path], {
      stdio: ["ignore", fd, "inherit"],
    });
    if (status !== 0) throw new Error("Cannot prepare: nix-store --dump failed");
  } finally {
    closeSync(fd);
  }
}
