import { blobServiceSuite } from "./blob-service-suite.js";
import { ChunkingBlobService } from "./chunking-blob-service.js";
import { Faults, FaultyBlobService } from "./faulty-services.js";

blobServiceSuite(
  "in memory, with chunks",
  async () => ({ service: new ChunkingBlobService(65_536) }),
  { chunking: true },
);

blobServiceSuite(
  "faulty, without faults",
  async () => ({
    service: new FaultyBlobService(new ChunkingBlobService(65_536), new Faults()),
  }),
  { chunking: true },
);
