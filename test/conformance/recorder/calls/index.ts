import type { Scenario } from "../call.ts";
import { containerCalls } from "./containers.ts";
import { createCalls } from "./create.ts";
import { detailCalls } from "./details.ts";
import { eventCalls } from "./events.ts";
import { meaningCalls } from "./meanings.ts";
import { objectCalls } from "./objects.ts";
import { systemCalls } from "./system.ts";
import { terminalCalls } from "./terminals.ts";

/** The whole list. */
export const scenarios: readonly Scenario[] = [
  ...systemCalls,
  ...createCalls,
  ...containerCalls,
  ...objectCalls,
  ...eventCalls,
  ...detailCalls,
  ...terminalCalls,
  ...meaningCalls,
];
