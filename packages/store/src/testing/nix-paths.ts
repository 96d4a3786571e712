/**
 * Store paths that Nix 2.8 made, as narinfo files that it wrote (`nix copy --to file://…`) and signed
 * (`nix store sign`) with {@link NIX_SECRET_KEY}:
 *
 *     a = builtins.toFile "text-a" "hello\n"
 *     b = builtins.toFile "text-b" "see ${a}\n"
 *     derivation { name = "selfish"; … "mkdir $out; echo me $out > $out/self;
 *       echo ${b} $out $out > $out/both; ln -s $out/self $out/link" }
 *
 * and what `nix store make-content-addressed` made of the last; `nix-store --add-fixed` of a file that
 * holds "Hello" and of a directory that holds `dir/file` ("hi\n"), `link` (to "dir") and `run`
 * (executable, "#!/bin/sh\n").
 */

import { toUtf8 } from "@tvix/castore";
import type { MemoryTree } from "./nar-reference.js";

/** `nix key generate-secret --key-name test.example-1`. */
export const NIX_SECRET_KEY =
  "test.example-1:WndIREaznOmpbFOpIUkmtfZ7fn77soBOjafwaMqlKDo6A3DEnWTVLN0M2JEnEp7yZbxe+TI+LZseL4bkyvSZsQ==";

/** `nix key convert-secret-to-public`. */
export const NIX_PUBLIC_KEY = "test.example-1:OgNwxJ1k1SzdDNiRJxKe8mW8XvkyPi2bHi+G5Mr0mbE=";

/** A path as Nix described it, and what it holds. */
export interface NixPath {
  /** What kind of path it is. */
  readonly name: string;
  readonly narinfo: string;
  /** Absent for the derivation, whose content plays no part in tests. */
  readonly tree?: MemoryTree;
}

function file(text: string, executable = false): MemoryTree {
  return { type: "file", content: toUtf8(text), executable };
}

function directory(entries: Readonly<Record<string, MemoryTree>>): MemoryTree {
  const sorted = Object.entries(entries).map(([name, tree]) => [toUtf8(name), tree] as const);
  return { type: "directory", entries: sorted };
}

function symlink(target: string): MemoryTree {
  return { type: "symlink", target: toUtf8(target) };
}

const SOURCE = directory({
  dir: directory({ file: file("hi\n") }),
  link: symlink("dir"),
  run: file("#!/bin/sh\n", true),
});

const HELLO = file("Hello");

function selfish(self: string, other: string): MemoryTree {
  return directory({
    both: file(`${other} ${self} ${self}\n`),
    link: symlink(`${self}/self`),
    self: file(`me ${self}\n`),
  });
}

/** One path of each kind. */
export const NIX_PATHS: readonly NixPath[] = [
  {
    name: "NAR by SHA-256",
    narinfo: `StorePath: /nix/store/jdx8z0vgdaqjmr8048b2xxzghhfhnsq2-src
URL: nar/05hyna3yzxjzdwjyhwxzw3lgmw7cc5w3krhbydx3hixv0i70hwzk.nar
Compression: none
FileHash: sha256:05hyna3yzxjzdwjyhwxzw3lgmw7cc5w3krhbydx3hixv0i70hwzk
FileSize: 880
NarHash: sha256:05hyna3yzxjzdwjyhwxzw3lgmw7cc5w3krhbydx3hixv0i70hwzk
NarSize: 880
References: 
Sig: test.example-1:Pm83oNsBLpyIHLCeGpYi4DxfeJAoGajoF2WXQ3sfkB6sIHPOi0rA/wno8mk+5cGCmkIiha4fCPsO+RVYVsLLCg==
CA: fixed:r:sha256:05hyna3yzxjzdwjyhwxzw3lgmw7cc5w3krhbydx3hixv0i70hwzk
`,
    tree: SOURCE,
  },
  {
    name: "NAR by SHA-1",
    narinfo: `StorePath: /nix/store/vmda2ydr1bqmgif0mfnqfa4jw4v5xllf-src
URL: nar/05hyna3yzxjzdwjyhwxzw3lgmw7cc5w3krhbydx3hixv0i70hwzk.nar
Compression: none
FileHash: sha256:05hyna3yzxjzdwjyhwxzw3lgmw7cc5w3krhbydx3hixv0i70hwzk
FileSize: 880
NarHash: sha256:05hyna3yzxjzdwjyhwxzw3lgmw7cc5w3krhbydx3hixv0i70hwzk
NarSize: 880
References: 
Sig: test.example-1:kzDnYi7so2LWUPaKCF3MKUHNDJpT47LEXKQXnDTte9Tq8bCh2I6hEpriAzdkJSpwVsZM9d2lsnWS/kJG+D8rCg==
CA: fixed:r:sha1:rm3q5przf1fbni0fhvxj4pb6q2cm75c3
`,
    tree: SOURCE,
  },
  {
    name: "file by SHA-256",
    narinfo: `StorePath: /nix/store/03r1m99kwy289gfjscb451s9yjqhaxhp-f
URL: nar/03pq9rjqr8vbd9hw2xqnmcysygizpks8k6l8r7cqvpm8ziwpxw60.nar
Compression: none
FileHash: sha256:03pq9rjqr8vbd9hw2xqnmcysygizpks8k6l8r7cqvpm8ziwpxw60
FileSize: 120
NarHash: sha256:03pq9rjqr8vbd9hw2xqnmcysygizpks8k6l8r7cqvpm8ziwpxw60
NarSize: 120
References: 
Sig: test.example-1:MBHY8s+1K7ma6cIBjPMZC62OBwXthBtkSrmNAb+tvBJy0fPwDyv6ScXMrvD6H9GTsyDeM7T1NgE64Tll48toAg==
CA: fixed:sha256:0s8r70k4hxni0y053njf63n0chr65s5r7z56c7sjbzki4arqspqq
`,
    tree: HELLO,
  },
  {
    name: "file by MD5",
    narinfo: `StorePath: /nix/store/sfsd4kcfl8k98pskypn9h05y90ixcbrh-f
URL: nar/03pq9rjqr8vbd9hw2xqnmcysygizpks8k6l8r7cqvpm8ziwpxw60.nar
Compression: none
FileHash: sha256:03pq9rjqr8vbd9hw2xqnmcysygizpks8k6l8r7cqvpm8ziwpxw60
FileSize: 120
NarHash: sha256:03pq9rjqr8vbd9hw2xqnmcysygizpks8k6l8r7cqvpm8ziwpxw60
NarSize: 120
References: 
Sig: test.example-1:uBkngbcch9f0tZPx4ZwLQ9skM9O7D0cAq9TNmO6jZALR131Bi1N5CFJ4C+9YxZqUQKBJUSPG+FX0I9zQz5/bCA==
CA: fixed:md5:6p0iwc9y5b4yl9c4k1qi9rj6lb
`,
    tree: HELLO,
  },
  {
    name: "file by SHA-512",
    narinfo: `StorePath: /nix/store/ycb4yah2j90khh56v0xvrsngvpgl7qic-f
URL: nar/03pq9rjqr8vbd9hw2xqnmcysygizpks8k6l8r7cqvpm8ziwpxw60.nar
Compression: none
FileHash: sha256:03pq9rjqr8vbd9hw2xqnmcysygizpks8k6l8r7cqvpm8ziwpxw60
FileSize: 120
NarHash: sha256:03pq9rjqr8vbd9hw2xqnmcysygizpks8k6l8r7cqvpm8ziwpxw60
NarSize: 120
References: 
Sig: test.example-1:Rpw0Z2TXjPr+w1JUcGR8bQzxEzn0xBb0nnG3ws1+jzhNJNgeHtaNj8IaE+10VVlxDmSPjlAkdAiUFCI1+BQjBw==
CA: fixed:sha512:0az60vbi1qrwxhqgbzaj3a8msxfj7jnp4zpyzmz2q5a19wmsz9pgxscmzazpxyxgyn8yvwiqy69nllfsli4pyc74r0dfgi9kl6gh59n
`,
    tree: HELLO,
  },
  {
    name: "text",
    narinfo: `StorePath: /nix/store/8zp962jbwypd6dgbmb5w039dig9z7nd3-text-a
URL: nar/04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw.nar
Compression: none
FileHash: sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw
FileSize: 120
NarHash: sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw
NarSize: 120
References: 
Sig: test.example-1:mUMBdJaEgu0aaZ2RvQur8lQAZriteSa6P+83IzPBt9IwohK1ijxcnv/0qCgwTSFh1kh4p48vJsG7UEa3Hq7/CA==
CA: text:sha256:00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asvb4aq
`,
    tree: file("hello\n"),
  },
  {
    name: "text with a reference",
    narinfo: `StorePath: /nix/store/5sghw35jqr9bl3i06pb0yv636axdgg4c-text-b
URL: nar/1q9xksj2cmjm6nzkbs491fk4wwbl9nwqyhfpzwswaigp6wmc1l8z.nar
Compression: none
FileHash: sha256:1q9xksj2cmjm6nzkbs491fk4wwbl9nwqyhfpzwswaigp6wmc1l8z
FileSize: 168
NarHash: sha256:1q9xksj2cmjm6nzkbs491fk4wwbl9nwqyhfpzwswaigp6wmc1l8z
NarSize: 168
References: 8zp962jbwypd6dgbmb5w039dig9z7nd3-text-a
Sig: test.example-1:REWtaxAZuCaMPiBgU5lxdfYANc/BThnxC22B75NGlufyzLQFf2MGwip0pCpO2tDoeqdIzyY2I50cb1GU3qFHCQ==
CA: text:sha256:0y3n0skar3syz4g4m88f3wnl7sz4klv2fxil5rlh4lb3qxh5apbx
`,
    tree: file("see /nix/store/8zp962jbwypd6dgbmb5w039dig9z7nd3-text-a\n"),
  },
  {
    name: "output of a derivation",
    narinfo: `StorePath: /nix/store/f6fnr9dghj5024hmjvm6h532xfj656b2-selfish
URL: nar/1k835jc09v88rizg2yd1pgwxglnmpxxkrz2m2rwr1xyy34461kbh.nar
Compression: none
FileHash: sha256:1k835jc09v88rizg2yd1pgwxglnmpxxkrz2m2rwr1xyy34461kbh
FileSize: 920
NarHash: sha256:1k835jc09v88rizg2yd1pgwxglnmpxxkrz2m2rwr1xyy34461kbh
NarSize: 920
References: 5sghw35jqr9bl3i06pb0yv636axdgg4c-text-b f6fnr9dghj5024hmjvm6h532xfj656b2-selfish
Deriver: zg5ncddjy6k9sngpnasykgk6n7kmc15c-selfish.drv
Sig: test.example-1:4ack6bgS5g5Zm5OD9jKKD0Df3ofIcgfxzGI601qfrjQghAjiazz+rn7o2Xi3EFL/oKtI5AroJxJY+kbZBh7tDA==
`,
    tree: selfish(
      "/nix/store/f6fnr9dghj5024hmjvm6h532xfj656b2-selfish",
      "/nix/store/5sghw35jqr9bl3i06pb0yv636axdgg4c-text-b",
    ),
  },
  {
    name: "NAR with a reference",
    narinfo: `StorePath: /nix/store/gkk0piyims1vkg7fdjmd1yg5y5y4bxim-text-b
URL: nar/1y20f823xaj0z75c2ba0pi5nwg33kflrrn64m61jmcggs9rivnib.nar
Compression: none
FileHash: sha256:1y20f823xaj0z75c2ba0pi5nwg33kflrrn64m61jmcggs9rivnib
FileSize: 168
NarHash: sha256:1y20f823xaj0z75c2ba0pi5nwg33kflrrn64m61jmcggs9rivnib
NarSize: 168
References: z5h0wbipmd4cx6w0prm10apwfmnzf5ak-text-a
Sig: test.example-1:q5D81tXdhLWDDxYiVZ1w46vUVoC5b22BWYDmEXvWzR9qTyLM3QBoKQIgmgNyU+YXLksPpFXZKG5wTFv3AbNSBA==
CA: fixed:r:sha256:1y20f823xaj0z75c2ba0pi5nwg33kflrrn64m61jmcggs9rivnib
`,
    tree: file("see /nix/store/z5h0wbipmd4cx6w0prm10apwfmnzf5ak-text-a\n"),
  },
  {
    name: "NAR with a reference to itself",
    narinfo: `StorePath: /nix/store/jd65zcydyxmlcka95ahj3s4hy83z7xrd-selfish
URL: nar/0njpw7g7s3yf2jv9ilfym083x06mj2hgprkld3fl5jcmfcl027qs.nar
Compression: none
FileHash: sha256:0njpw7g7s3yf2jv9ilfym083x06mj2hgprkld3fl5jcmfcl027qs
FileSize: 920
NarHash: sha256:0njpw7g7s3yf2jv9ilfym083x06mj2hgprkld3fl5jcmfcl027qs
NarSize: 920
References: gkk0piyims1vkg7fdjmd1yg5y5y4bxim-text-b jd65zcydyxmlcka95ahj3s4hy83z7xrd-selfish
Sig: test.example-1:zAhft8SWFzjO0HWd1shXonxh7956It/qbmhtch6i9z+jIhys8vdyHRUyFdsFDMFXZepLKOdn4EspM8RJVengBA==
CA: fixed:r:sha256:1vr2lamrflw2xhhixhq4qc4h9f9lbv2rffa242i3pr3vphw8yrb4
`,
    tree: selfish(
      "/nix/store/jd65zcydyxmlcka95ahj3s4hy83z7xrd-selfish",
      "/nix/store/gkk0piyims1vkg7fdjmd1yg5y5y4bxim-text-b",
    ),
  },
  {
    name: "derivation",
    narinfo: `StorePath: /nix/store/zg5ncddjy6k9sngpnasykgk6n7kmc15c-selfish.drv
URL: nar/09jzaikj4czsj80snbpqmahs2ilqg4azm0rpg1cqxcwz3s8q42xg.nar
Compression: none
FileHash: sha256:09jzaikj4czsj80snbpqmahs2ilqg4azm0rpg1cqxcwz3s8q42xg
FileSize: 576
NarHash: sha256:09jzaikj4czsj80snbpqmahs2ilqg4azm0rpg1cqxcwz3s8q42xg
NarSize: 576
References: 5sghw35jqr9bl3i06pb0yv636axdgg4c-text-b
Sig: test.example-1:7lchMN2I98gbANc0aZQStVAYmcUK4SWqS1UlLkIhLgGWLvgwOjqkCTdUcWbkxpHtqtp0CudhbIVVwtMREJpXCg==
CA: text:sha256:04xk0np70ylifkwc9i91sjagkwbfm3rc64k81x0sz594n8cv1k8g
`,
  },
];
