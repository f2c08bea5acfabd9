export type * from "./container-config.ts";
