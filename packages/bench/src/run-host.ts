/** How a benchmark tells what it does, and how it is ended. */
export interface RunHost {
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}
