/**
 * Told of each named moment at which a change of state stands half made, in the order of the work. Nothing listens but the
 * crash harness (`test/e2e/faults-every-step.e2e.ts`), which ends the engine there.
 */
export type ReachStep<Step extends string> = (step: Step) => void;
