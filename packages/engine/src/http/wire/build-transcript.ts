import type { Step, Vertex } from "@hawser/build";
import type { BuildEvent } from "../../builds/build-service.ts";

interface Entry {
  readonly step: Step;
  /** What is told of it and not written yet. */
  text: string;
  done: boolean;
}

/**
 * The texts of Docker's classic build stream: steps one after the other, as they stand in the Dockerfile, however many are done
 * at the same time.
 */
export class BuildTranscript {
  readonly #write: (text: string) => void;
  #entries: readonly Entry[] = [];
  readonly #byVertex = new Map<string, Entry>();
  readonly #containers = new Map<string, string>();
  #current = 0;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  take(event: BuildEvent): void {
    switch (event.kind) {
      case "planned":
        this.#begin(event.steps);
        break;
      case "refused":
        this.#write(`Step ${event.at}/${event.of} : ${event.text}\n`);
        break;
      case "container":
        this.#containers.set(event.vertex.digest, event.id.slice(0, 12));
        this.#add(event.vertex, ` ---> Running in ${event.id.slice(0, 12)}\n`);
        break;
      case "output":
        this.#add(event.vertex, Buffer.from(event.bytes).toString());
        break;
      case "cached":
        this.#add(event.vertex, " ---> Using cache\n");
        break;
      case "completed": {
        const container = this.#containers.get(event.vertex.digest);
        if (container !== undefined) {
          this.#add(event.vertex, ` ---> Removed intermediate container ${container}\n`);
        }
        this.#end(event.vertex);
        break;
      }
      case "pull":
      case "started":
      case "missed":
      case "failed":
    }
    this.#flush();
  }

  #begin(steps: readonly Step[]): void {
    this.#entries = steps.map((step, at) => {
      const isWork = step.vertex !== undefined && step.node.name !== "FROM";
      const text = `Step ${at + 1}/${steps.length} : ${step.text}\n`;
      const entry: Entry = { step, text: isWork ? text : `${text}${idLine(step.vertex)}`, done: !isWork };
      if (isWork && step.vertex !== undefined && !this.#byVertex.has(step.vertex.digest)) {
        this.#byVertex.set(step.vertex.digest, entry);
      } else entry.done = true;
      return entry;
    });
  }

  #add(vertex: Vertex, text: string): void {
    const entry = this.#byVertex.get(vertex.digest);
    if (entry !== undefined) entry.text += text;
  }

  #end(vertex: Vertex): void {
    const entry = this.#byVertex.get(vertex.digest);
    if (entry === undefined) return;
    entry.text += idLine(vertex);
    entry.done = true;
  }

  #flush(): void {
    for (;;) {
      const entry = this.#entries[this.#current];
      if (entry === undefined) return;
      if (entry.text !== "") this.#write(entry.text);
      entry.text = "";
      if (!entry.done) return;
      this.#current++;
    }
  }
}

function idLine(vertex: Vertex | undefined): string {
  return vertex === undefined
    ? ""
    : ` ---> ${vertex.digest.slice("sha256:".length, "sha256:".length + 12)}\n`;
}
