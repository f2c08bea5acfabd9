import { defineFaults } from "@hawser/base";

export const stateFaults = defineFaults({
  DATABASE_DAMAGED: [
    "data-loss",
    (path: string, problem: string) =>
      `Cannot start: the state database ${path} is damaged (${problem}); nothing was changed. Put a copy of it back, or move it away with its -wal and -shm files: the engine then starts without containers and networks, and removes what containers have written`,
  ],
});
