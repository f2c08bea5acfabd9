export { type ClientTls, type Endpoint, parseEndpoint } from "./endpoint.ts";
export {
  EngineClient,
  type EnginePing,
  type EngineRequest,
  type EngineResponse,
  type EngineStream,
  type QueryValue,
} from "./engine-client.ts";
export { splitJson } from "./json-lines.ts";
