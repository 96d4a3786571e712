/** The decoder inside of `unbzip2-stream`, which has no types. */
declare module "unbzip2-stream/lib/bzip2.js" {
  interface Bzip2 {
    /** Reads the header of a stream; returns the size of its blocks in units of 100,000 bytes. */
    header(bits: (count: number | null) => number): number;
    /**
     * Reads a block, whose bytes it gives to `write` one by one.
     *
     * @returns the check of all blocks so far; `null` when this was the end of the stream
     */
    decompress(
      bits: (count: number | null) => number,
      write: (byte: number) => void,
      work: Int32Array,
      workLength: number,
      check: number,
    ): number | null;
  }
  const bzip2: Bzip2;
  // biome-ignore lint/style/noDefaultExport: that is what the package has
  export default bzip2;
}
