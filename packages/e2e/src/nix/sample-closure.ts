import { execFileSync } from "node:child_process";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { seededBytes } from "@tvix/castore/testing";
import { exportStream } from "./export-stream.js";
import type { NixRig, NixStore } from "./nix-rig.js";

/** The paths of a closure with one of every kind. */
interface SamplePaths {
  /** Needs all others, and itself. */
  readonly app: string;
  /** Needs `textB` and itself. */
  readonly libfoo: string;
  /** Text without references. */
  readonly textA: string;
  /** Text that refers to `textA`. */
  readonly textB: string;
  /** A flat file whose hash was known before it was made. */
  readonly fixed: string;
  /** A tree with odd names, and a file that is cut into many chunks. */
  readonly src: string;
  /** The derivation of `libfoo`. */
  readonly libfooDrv: string;
}

/** The closure, in a store of the real Nix. */
export interface SampleClosure extends SamplePaths {
  readonly store: NixStore;
  /** All of it, sorted; derivations are no part of it. */
  readonly all: readonly string[];
}

/** What `libfoo` says while it is built. */
export const BUILD_LOG = "building libfoo, as one says\n";

/** Length of the large file in `src`, in bytes. */
const LARGE_BYTES = 1_000_000;

const EXPRESSION = `{ source }:
let
  build = name: args: script: derivation ({
    inherit name;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" script ];
    PATH = "/bin";
  } // args);
in rec {
  textA = builtins.toFile "text-a" "plain text\\n";
  textB = builtins.toFile "text-b" "see \${textA}\\n";
  src = builtins.path { path = source; name = "renamed-src"; };
  fixed = build "fixed.txt" {
    outputHashMode = "flat";
    outputHashAlgo = "sha256";
    outputHash = builtins.hashString "sha256" "fixed\\n";
  } "echo fixed > $out";
  libfoo = build "libfoo-1.0" { } ''
    echo "building libfoo, as one says"
    mkdir -p $out/lib $out/share/deep/er
    echo "self $out and \${textB}" > $out/lib/libfoo.txt
    ln -s ../lib/libfoo.txt $out/share/link
  '';
  app = build "app-2.1" { } ''
    mkdir -p $out/bin
    echo ". \${libfoo}/lib/libfoo.txt \${src} \${fixed} $out" > $out/bin/app
    chmod +x $out/bin/app
    ln -s \${libfoo}/lib $out/lib
  '';
}
`;

/** Makes the closure in the store "origin" of `rig`: builds it, or imports it where builds are forbidden. */
export async function makeSampleClosure(rig: NixRig): Promise<SampleClosure> {
  const store = rig.store("origin");
  const source = rig.path("source");
  await writeSource(source);
  const file = rig.path("closure.nix");
  await writeFile(file, EXPRESSION);
  const closure = `import ${file} { source = ${source}; }`;
  const paths = await evaluate(store, closure);
  const build = await store.run("nix-build", ["--no-out-link", "-E", `(${closure}).app`]);
  if (build.status !== 0) {
    // Builds need namespaces, which some machines forbid.
    if (!/Operation not permitted|namespace/i.test(build.stderr)) throw new Error(build.stderr);
    await importClosure(rig, store, paths);
  }
  return { ...paths, store, all: await store.closure(paths.app) };
}

/** The paths, of which those that are not built come to be. */
async function evaluate(store: NixStore, closure: string): Promise<SamplePaths> {
  const paths = `builtins.mapAttrs (name: value: "\${value}") closure`;
  const expression = `let closure = ${closure}; in ${paths} // { libfooDrv = closure.libfoo.drvPath; }`;
  const args = ["--eval", "--strict", "--json", "--read-write-mode", "-E", expression];
  return JSON.parse(await store.text("nix-instantiate", args)) as SamplePaths;
}

async function writeSource(tree: string): Promise<void> {
  await mkdir(join(tree, "empty"), { recursive: true });
  await writeFile(join(tree, "large"), seededBytes(4, LARGE_BYTES));
  await writeFile(join(tree, "zeros"), new Uint8Array(200_000));
  await writeFile(join(tree, "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
  await writeFile(join(tree, "no content"), "");
  await writeFile(join(tree, "A"), "upper");
  await writeFile(join(tree, "a"), "lower");
  await writeFile(join(tree, "..."), "three dots");
  await writeFile(join(tree, "\u{1f4a9} ~%2f&<b>\n\\"), "odd");
  await writeFile(Buffer.concat([Buffer.from(`${tree}/`), Buffer.of(0xff, 0xfe)]), "not UTF-8");
  await symlink("../../nowhere", join(tree, "dangling"));
}

/** Puts into `store` what a build would have put there, with the same paths and references. */
async function importClosure(rig: NixRig, store: NixStore, paths: SamplePaths): Promise<void> {
  const { app, libfoo, textB, src, fixed, libfooDrv } = paths;
  await writeFile(rig.path("fixed.txt"), "fixed\n");
  await store.text("nix-store", ["--add-fixed", "sha256", rig.path("fixed.txt")]);
  const [lib, bin] = [rig.path("made", "libfoo"), rig.path("made", "app")];
  execFileSync("mkdir", ["-p", `${lib}/lib`, `${lib}/share/deep/er`, `${bin}/bin`]);
  await writeFile(join(lib, "lib", "libfoo.txt"), `self ${libfoo} and ${textB}\n`);
  await symlink("../lib/libfoo.txt", join(lib, "share", "link"));
  const script = `. ${libfoo}/lib/libfoo.txt ${src} ${fixed} ${app}\n`;
  await writeFile(join(bin, "bin", "app"), script, { mode: 0o755 });
  await symlink(`${libfoo}/lib`, join(bin, "lib"));
  const input = exportStream([
    {
      nar: await rig.output("nix-store", ["--dump", lib]),
      path: libfoo,
      references: [textB, libfoo],
      deriver: libfooDrv,
    },
    {
      nar: await rig.output("nix-store", ["--dump", bin]),
      path: app,
      references: [libfoo, src, fixed, app],
      deriver: "",
    },
  ]);
  await store.text("nix-store", ["--import"], { input });
  await writeLog(store, libfooDrv);
}

/** Where builds leave what they have said. */
async function writeLog(store: NixStore, derivation: string): Promise<void> {
  const name = derivation.replace("/nix/store/", "");
  const directory = store.realPath(`/nix/var/log/nix/drvs/${name.slice(0, 2)}`);
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, name.slice(2)), BUILD_LOG);
}
