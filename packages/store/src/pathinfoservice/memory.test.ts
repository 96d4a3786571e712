import { pathInfoServiceSuite } from "../testing/path-info-service-suite.js";
import { MemoryPathInfoService } from "./memory.js";

pathInfoServiceSuite("memory", async () => ({ service: new MemoryPathInfoService() }), {
  noRootCheck: { reason: "it knows no castore" },
});
