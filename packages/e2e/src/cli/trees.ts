import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

/** A tree to import: builds itself at `path`, which does not exist yet. */
export interface SampleTree {
  /** What is special about it. */
  readonly about: string;
  /** Last component of its path, which becomes the name; "tree" by default. */
  readonly name?: string;
  /** What to add to the path on the command line; nothing by default. */
  readonly suffix?: string;
  build(path: string): void;
}

const KIB = 1024;

/** Bytes that do not compress and differ for each seed (xorshift32). */
export function noise(length: number, seed: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** Makes a file. */
export function file(content: string | Uint8Array, mode = 0o644): (path: string) => void {
  return (path) => {
    writeFileSync(path, content);
    chmodSync(path, mode);
  };
}

function directory(
  build: (inside: (name: string | Uint8Array) => Buffer) => void,
): (path: string) => void {
  return (path) => {
    mkdirSync(path);
    build((name) => Buffer.concat([Buffer.from(`${path}/`), Buffer.from(name)]));
  };
}

/** Every file is named and filled after its mode. */
function modes(...list: readonly number[]): (path: string) => void {
  return directory((at) => {
    for (const mode of list) {
      const path = at(`mode-${mode.toString(8)}`);
      writeFileSync(path, mode.toString(8));
      chmodSync(path, mode);
    }
  });
}

function files(names: readonly (string | Uint8Array)[]): (path: string) => void {
  return directory((at) => {
    for (const name of names) writeFileSync(at(name), "x");
  });
}

function sizesAround(size: number): (path: string) => void {
  return directory((at) => {
    for (const offset of [-1, 0, 1]) {
      writeFileSync(at(`noise-${size + offset}`), noise(size + offset, size));
      writeFileSync(at(`zeros-${size + offset}`), new Uint8Array(size + offset));
    }
  });
}

function everyByte(): (path: string) => void {
  const bytes = Array.from({ length: 255 }, (_, i) => i + 1).filter((byte) => byte !== 0x2f);
  return directory((at) => {
    for (const byte of bytes) {
      if (byte !== 0x2e) writeFileSync(at(Uint8Array.of(byte)), `alone ${byte}`);
      writeFileSync(at(Uint8Array.of(0x61, byte, 0x62)), `inside ${byte}`);
    }
  });
}

function levels(depth: number): (path: string) => void {
  return (path) => {
    mkdirSync(join(path, ...Array.from({ length: depth }, () => "d")), { recursive: true });
    writeFileSync(join(path, ...Array.from({ length: depth }, () => "d"), "bottom"), "deep");
  };
}

function manyEntries(count: number): (path: string) => void {
  return (path) => {
    mkdirSync(path);
    for (let i = 0; i < count; i++) writeFileSync(`${path}/entry-${i}`, "");
  };
}

function identical(count: number): (path: string) => void {
  const content = noise(3000, 7);
  return directory((at) => {
    for (let i = 0; i < count; i++) {
      mkdirSync(at(`d${i}`));
      writeFileSync(at(`d${i}/same`), content);
    }
  });
}

function sparse(size: number): (path: string) => void {
  return (path) => {
    const fd = openSync(path, "w");
    ftruncateSync(fd, size);
    for (const at of [0, Math.floor(size / 2), size - 5]) writeSync(fd, "data!", at);
    closeSync(fd);
  };
}

const LONG_NAME = "n".repeat(255);

/** Trees that Nix takes; each has something that an importer can get wrong. */
export const TREES: readonly SampleTree[] = [
  { about: "an empty file", name: "empty", build: file("") },
  { about: "a file", name: "hello.txt", build: file("hello\n") },
  { about: "an executable file", name: "run.sh", build: file("#!/bin/sh\n", 0o755) },
  { about: "a file that only its owner executes", name: "owner", build: file("x", 0o700) },
  { about: "a file that only its group executes", name: "group", build: file("x", 0o670) },
  { about: "a file that only others execute", name: "others", build: file("x", 0o645) },
  { about: "an empty directory", name: "empty-dir", build: directory(() => {}) },
  {
    about: "a directory of empty directories",
    build: directory((at) => {
      for (const name of ["a", "b", "c"]) mkdirSync(at(name));
      mkdirSync(at("a/nested"));
    }),
  },
  {
    about: "all permissions",
    build: modes(0o400, 0o444, 0o500, 0o501, 0o555, 0o600, 0o644, 0o666, 0o700, 0o755, 0o777),
  },
  { about: "execution by owner, group and others apart", build: modes(0o500, 0o410, 0o401, 0o411) },
  {
    about: "setuid, setgid and sticky bits",
    build: modes(0o4755, 0o2755, 0o1755, 0o4644, 0o2644, 0o7777),
  },
  {
    about: "directories with odd permissions",
    build: directory((at) => {
      for (const mode of [0o500, 0o700, 0o755, 0o1777, 0o2755]) {
        mkdirSync(at(`d${mode.toString(8)}`));
        writeFileSync(at(`d${mode.toString(8)}/f`), "x");
        chmodSync(at(`d${mode.toString(8)}`), mode);
      }
    }),
  },
  {
    about: "a dangling link",
    name: "dangling",
    build: (path) => symlinkSync("nowhere/at/all", path),
  },
  {
    about: "an absolute link",
    name: "absolute",
    build: (path) => symlinkSync("/etc/passwd", path),
  },
  { about: "a link to itself", name: "loop", build: (path) => symlinkSync("loop", path) },
  {
    about: "a link to a directory as the root",
    name: "to-dir",
    build: (path) => {
      mkdirSync(`${path}.target`);
      writeFileSync(`${path}.target/f`, "x");
      symlinkSync("to-dir.target", path);
    },
  },
  {
    about: "links of all kinds",
    build: directory((at) => {
      mkdirSync(at("dir"));
      writeFileSync(at("dir/file"), "x");
      const links = {
        dir: "to-dir",
        "dir/file": "to-file",
        "/": "to-root",
        "..": "to-parent",
        ".": "to-self",
        nowhere: "dangling",
        "a//b/../c/": "untidy",
        "link-loop": "link-loop",
        "dir/": "to-dir-slash",
      };
      for (const [target, name] of Object.entries(links)) symlinkSync(target, at(name));
      symlinkSync(Buffer.from([0xff, 0x0a, 0x20, 0xe9]), at("raw"));
    }),
  },
  {
    about: "a link target of 4095 bytes",
    name: "long-target",
    build: (path) => symlinkSync("t".repeat(4095), path),
  },
  {
    about: "link targets of every small length",
    build: directory((at) => {
      for (let length = 1; length <= 17; length++)
        symlinkSync("t".repeat(length), at(`l${length}`));
    }),
  },
  {
    about: "hard links",
    build: directory((at) => {
      writeFileSync(at("one"), noise(5000, 1));
      linkSync(at("one"), at("two"));
      mkdirSync(at("sub"));
      linkSync(at("one"), at("sub/three"));
    }),
  },
  { about: "names with every byte", build: everyByte() },
  {
    about: "names that are not UTF-8",
    build: files([
      Uint8Array.of(0xff),
      Uint8Array.of(0xc3),
      Uint8Array.of(0xc3, 0x28),
      Uint8Array.of(0xed, 0xa0, 0x80),
      Uint8Array.of(0xf8, 0x88),
      "caf\u00e9",
      "cafe\u0301",
    ]),
  },
  {
    about: "names with line breaks and blanks",
    build: files([
      "a\nb",
      "\n",
      " ",
      "  ",
      "a\r",
      "\t",
      "-",
      "--",
      "-rf",
      "~",
      "*",
      "?",
      "\\",
      "'",
      '"',
      "$HOME",
      "`x`",
    ]),
  },
  { about: "names of dots", build: files(["...", "..a", ".a", "a.", "a..", ".hidden", "...."]) },
  {
    about: "names of 255 bytes",
    build: files([LONG_NAME, `${LONG_NAME.slice(0, 254)}o`, "\u20ac".repeat(85)]),
  },
  {
    about: "sorting by bytes: names that are prefixes",
    build: directory((at) => {
      for (const name of ["a.b", "a-b", "a b", "ab", "A", "a0", "a!"])
        writeFileSync(at(name), name);
      mkdirSync(at("a"));
      for (const name of ["b", "-b", "z"]) writeFileSync(at(`a/${name}`), name);
    }),
  },
  {
    about: "sorting by bytes: not by UTF-16, case or locale",
    build: files([
      "\u{10000}",
      "\uffff",
      "\ue000",
      "\u{1f600}",
      "\ud7ff",
      "Z",
      "a",
      "\u00c4",
      "z",
      "_",
      "10",
      "9",
      "2",
    ]),
  },
  { about: "64 KiB files", build: sizesAround(64 * KIB) },
  { about: "128 KiB files", build: sizesAround(128 * KIB) },
  { about: "256 KiB files", build: sizesAround(256 * KIB) },
  { about: "512 KiB files", build: sizesAround(512 * KIB) },
  { about: "1 MiB files", build: sizesAround(1024 * KIB) },
  {
    about: "every small size",
    build: directory((at) => {
      for (let size = 0; size <= 65; size++) writeFileSync(at(`f${size}`), noise(size, size));
    }),
  },
  { about: "an 8 MiB file", name: "big", build: file(noise(8 * KIB * KIB, 3)) },
  { about: "many identical files", build: identical(500) },
  {
    about: "many different files",
    build: directory((at) => {
      for (let i = 0; i < 2000; i++) writeFileSync(at(`f${i}`), noise(i % 3000, i + 1));
    }),
  },
  { about: "200 levels", build: levels(200) },
  {
    about: "a comb of directories",
    build: directory((at) => {
      for (let i = 0; i < 40; i++) {
        mkdirSync(at(Array.from({ length: i + 1 }, () => "d").join("/")));
        writeFileSync(at(`${Array.from({ length: i + 1 }, () => "d").join("/")}/f${i}`), String(i));
      }
    }),
  },
  { about: "100,000 entries in one directory", name: "wide", build: manyEntries(100_000) },
  { about: "a sparse file of 1 GiB", name: "sparse", build: sparse(1024 * KIB * KIB) },
  { about: "a name with all signs", name: "a+b-c._?=9Z", build: file("x") },
  {
    about: "a name that begins with a dot",
    name: ".config",
    build: directory((at) => writeFileSync(at("f"), "x")),
  },
  { about: "a name that begins with a dash", name: "-x", build: file("x") },
  { about: "a name of 211 characters", name: "m".repeat(211), build: file("x") },
  {
    about: "a slash at the end",
    name: "slash",
    suffix: "/",
    build: directory((at) => writeFileSync(at("f"), "x")),
  },
  {
    about: "a dot at the end",
    name: "dot",
    suffix: "/.",
    build: directory((at) => writeFileSync(at("f"), "x")),
  },
  {
    about: "a detour",
    name: "detour",
    suffix: "/../detour",
    build: directory((at) => writeFileSync(at("f"), "x")),
  },
];
