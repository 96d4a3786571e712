import type { DirectoryItem, DirectorySink, Entry } from "../file-system.js";

/** An item that was added. */
export interface ListedItem {
  readonly item: DirectoryItem;
  readonly entry: Entry | undefined;
}

/** Takes items as long as the room lasts, by the lengths that they have in messages (linux/fuse.h). */
export class ListingSink implements DirectorySink {
  readonly wantsEntries: boolean;
  readonly items: ListedItem[] = [];
  #room: number;

  constructor(room: number, wantsEntries: boolean) {
    this.#room = room;
    this.wantsEntries = wantsEntries;
  }

  fits(name: Uint8Array): boolean {
    return this.#length(name) <= this.#room;
  }

  add(item: DirectoryItem, entry?: Entry): void {
    if (!this.fits(item.name)) throw new RangeError("the item does not fit");
    this.#room -= this.#length(item.name);
    this.items.push({ item, entry });
  }

  #length(name: Uint8Array): number {
    const header = this.wantsEntries ? 128 + 24 : 24;
    return Math.ceil((header + name.byteLength) / 8) * 8;
  }
}
