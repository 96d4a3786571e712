/** The world around a mount, as far as it may touch it. */
export interface MountHost {
  /** Asks the mount to end. */
  readonly signal: AbortSignal;
  /** Takes a line for people: what was found, and what failed. */
  note(text: string): void;
}
