import {
  type DescEnum,
  type DescExtension,
  type DescFile,
  type DescMessage,
  toBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

/** Schema files by everything they can be asked for. */
export class DescriptorIndex {
  readonly #files = new Map<string, DescFile>();
  readonly #symbols = new Map<string, DescFile>();
  /** Extension numbers and their files, by the name of the extended message. */
  readonly #extensions = new Map<string, Map<number, DescFile>>();
  readonly #encoded = new Map<DescFile, Uint8Array>();

  /** Indexes the files and all files they import. */
  constructor(files: Iterable<DescFile>) {
    const pending = [...files];
    for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
      if (!this.#files.has(file.proto.name)) {
        this.#files.set(file.proto.name, file);
        this.#addFile(file);
        pending.push(...file.dependencies);
      }
    }
  }

  /** The file with this name, such as `tvix/castore/protos/castore.proto`. */
  fileByName(name: string): DescFile | undefined {
    return this.#files.get(name);
  }

  /** The file that declares a service, method, message, field, enum, enum value or extension. */
  fileBySymbol(symbol: string): DescFile | undefined {
    return this.#symbols.get(symbol);
  }

  /** The file that declares an extension. */
  fileByExtension(message: string, number: number): DescFile | undefined {
    return this.#extensions.get(message)?.get(number);
  }

  /** The extension numbers of a message; `undefined` when there is no such message. */
  extensionNumbers(message: string): readonly number[] | undefined {
    const numbers = this.#extensions.get(message);
    if (numbers === undefined) {
      return this.#symbols.has(message) ? [] : undefined;
    }
    return [...numbers.keys()].sort((a, b) => a - b);
  }

  /** A file and all files it needs, each once, encoded as `google.protobuf.FileDescriptorProto`. */
  closure(file: DescFile): Uint8Array[] {
    const files = new Set([file]);
    for (const one of files) {
      for (const dependency of one.dependencies) {
        files.add(dependency);
      }
    }
    return [...files].map((one) => this.#encode(one));
  }

  #encode(file: DescFile): Uint8Array {
    let bytes = this.#encoded.get(file);
    if (bytes === undefined) {
      bytes = toBinary(FileDescriptorProtoSchema, file.proto);
      this.#encoded.set(file, bytes);
    }
    return bytes;
  }

  #addFile(file: DescFile): void {
    for (const service of file.services) {
      this.#symbols.set(service.typeName, file);
      for (const method of service.methods) {
        this.#symbols.set(`${service.typeName}.${method.name}`, file);
      }
    }
    for (const one of file.enums) {
      this.#addEnum(one);
    }
    for (const extension of file.extensions) {
      this.#addExtension(extension);
    }
    const pending = [...file.messages];
    for (let message = pending.pop(); message !== undefined; message = pending.pop()) {
      this.#addMessage(message);
      pending.push(...message.nestedMessages);
    }
  }

  #addMessage(message: DescMessage): void {
    const { file, typeName } = message;
    this.#symbols.set(typeName, file);
    for (const member of [...message.fields, ...message.oneofs]) {
      this.#symbols.set(`${typeName}.${member.name}`, file);
    }
    for (const one of message.nestedEnums) {
      this.#addEnum(one);
    }
    for (const extension of message.nestedExtensions) {
      this.#addExtension(extension);
    }
  }

  /** The values of an enum stand beside it, not in it. */
  #addEnum(one: DescEnum): void {
    this.#symbols.set(one.typeName, one.file);
    const scope = one.typeName.slice(0, one.typeName.lastIndexOf(".") + 1);
    for (const value of one.values) {
      this.#symbols.set(scope + value.name, one.file);
    }
  }

  #addExtension(extension: DescExtension): void {
    const extended = extension.extendee.typeName;
    const numbers = this.#extensions.get(extended) ?? new Map<number, DescFile>();
    numbers.set(extension.number, extension.file);
    this.#extensions.set(extended, numbers);
    this.#symbols.set(extension.typeName, extension.file);
  }
}
