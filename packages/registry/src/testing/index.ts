export {
  type FakeRegistry,
  type FakeRegistryOptions,
  type Interceptor,
  openFakeRegistry,
  type SeenRequest,
  sha256,
} from "./fake-registry.ts";
