import type { Scenario } from "../call.ts";
import { containerCalls } from "./containers.ts";
import { createCalls } from "./create.ts";
import { detailCalls } from "./details.ts";
import { eventCalls } from "./events.ts";
import { objectCalls } from "./objects.ts";
import { systemCalls } from "./system.ts";

/** The whole list. */
export const scenarios: readonly Scenario[] = [
  ...systemCalls,
  ...createCalls,
  ...containerCalls,
  ...objectCalls,
  ...eventCalls,
  ...detailCalls,
];
