/** Where an engine is when nothing else is said: for tests that clear away after one. */
export { layoutOf } from "../config/layout.ts";
