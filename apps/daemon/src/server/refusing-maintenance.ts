import { StoreError, type StoreMaintenance } from "@tvix/store";

/** Says that what is put together from several stores cannot be described or checked as one. */
export function refusingMaintenance(): StoreMaintenance {
  const refuse = (action: string): never => {
    throw new StoreError(
      "UNSUPPORTED",
      `Cannot ${action} what this daemon serves: it is put together from several stores, each of which can be asked by itself`,
    );
  };
  return {
    describe: async () => refuse("describe"),
    // biome-ignore lint/correctness/useYield: it only refuses.
    check: async function* () {
      refuse("check");
    },
  };
}
