import { after } from "node:test";
import { startS3 } from "../../e2e/kit-s3.ts";
import { openTestRegistry } from "./kit-registry.ts";

// The whole suite again, with blobs in a bucket.
const resources = new AsyncDisposableStack();
after(() => resources.disposeAsync());
const s3 = resources.use(await startS3());
await s3.makeBucket("conformance");
const registry = resources.use(
  await openTestRegistry({
    s3: { bucket: "conformance", endpoint: s3.endpoint, credentials: s3.credentials },
  }),
);
process.env["HAWSER_REGISTRY_URL"] = registry.url;
await import("./distribution.test.ts");
