import { blobServiceSuite } from "../testing/blob-service-suite.js";
import { MemoryBlobService } from "./memory.js";

blobServiceSuite("memory", async () => ({ service: new MemoryBlobService() }));
