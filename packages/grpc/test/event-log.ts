/** Remembers what happened and lets a test wait for it. */
export class EventLog {
  readonly events: string[] = [];
  #waiting: (() => void)[] = [];

  add(event: string): void {
    this.events.push(event);
    for (const wake of this.#waiting.splice(0)) {
      wake();
    }
  }

  /** Resolves when `event` has happened `times` times. */
  async seen(event: string, times = 1): Promise<void> {
    while (this.events.filter((one) => one === event).length < times) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}
