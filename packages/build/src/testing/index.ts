export { ConnectError } from "@connectrpc/connect";
export { LLBBridge } from "../grpc/generated/gateway_pb.ts";
export * from "./build-client.ts";
export * from "./front-end.ts";
export * from "./llb.ts";
