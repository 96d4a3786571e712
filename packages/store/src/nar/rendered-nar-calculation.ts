import type { CallOptions, Node } from "@tvix/castore";
import type { NarCalculation, NarCalculationService } from "../nar-calculation.js";
import { type CastoreServices, calculateNar } from "./renderer.js";

/** Computes by rendering the NAR, each time it is asked. */
export class RenderedNarCalculation implements NarCalculationService {
  readonly #services: CastoreServices;

  constructor(services: CastoreServices) {
    this.#services = services;
  }

  calculateNar(root: Node, options: CallOptions = {}): Promise<NarCalculation> {
    return calculateNar(this.#services, root, options);
  }

  /** Keeps nothing. */
  async remember(): Promise<void> {}
}
