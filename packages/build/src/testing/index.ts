export * from "./build-client.ts";
export * from "./llb.ts";
