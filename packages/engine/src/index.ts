export { type EngineStep, engineSteps } from "./steps.ts";
