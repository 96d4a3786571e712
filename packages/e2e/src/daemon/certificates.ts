import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rename } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeTree } from "../cli/remove-tree.js";

/** What a client needs to trust an authority, and to show who it is. */
export interface Identity {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

const EC_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

/** A directory of certificates and keys, made with openssl: `NAME.pem` and `NAME.key` for each name. */
export class Certificates {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async create(): Promise<Certificates> {
    return new Certificates(await mkdtemp(join(tmpdir(), "tvix-e2e-tls-")));
  }

  file(name: string): string {
    return join(this.directory, name);
  }

  /** A key and a certificate that signs itself. */
  makeAuthority(name: string): void {
    const subject = ["-subj", `/CN=${name}`, "-days", "2"];
    const out = ["-keyout", `${name}.key`, "-out", `${name}.pem`];
    this.#openssl("req", "-x509", ...subject, ...EC_KEY, ...out);
  }

  /** A key and a certificate that an authority signs, for 127.0.0.1. */
  makeCertificate(name: string, authority: string): void {
    const names = ["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1"];
    this.#openssl("req", ...EC_KEY, ...names, "-keyout", `${name}.key`, "-out", `${name}.csr`);
    const by = ["-CA", `${authority}.pem`, "-CAkey", `${authority}.key`, "-CAcreateserial"];
    const copy = ["-copy_extensions", "copy", "-days", "2"];
    this.#openssl("x509", "-req", "-in", `${name}.csr`, ...by, ...copy, "-out", `${name}.pem`);
  }

  /** Puts one file in the place of another, as programs that renew certificates do. */
  async replace(name: string, by: string): Promise<void> {
    await rename(this.file(by), this.file(name));
  }

  /** What a client needs that trusts `authority` and shows that it is `name`, if anybody. */
  async identity(name: string | undefined, authority: string): Promise<Identity> {
    const ca = await readFile(this.file(`${authority}.pem`));
    if (name === undefined) return { ca };
    return {
      ca,
      cert: await readFile(this.file(`${name}.pem`)),
      key: await readFile(this.file(`${name}.key`)),
    };
  }

  async remove(): Promise<void> {
    await removeTree(this.directory);
  }

  #openssl(...args: readonly string[]): void {
    execFileSync("openssl", args, { cwd: this.directory, stdio: "ignore" });
  }
}
