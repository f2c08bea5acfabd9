import type { Recorded } from "./normalise.ts";
import type { Recording } from "./replay.ts";

/** One field that is not the same. */
export interface Difference {
  readonly call: string;
  /** `status`, `headers.content-type`, `body.State.Health`; elements of arrays by number. */
  readonly path: string;
  /** `undefined`: the field is not there. */
  readonly docker: unknown;
  readonly hawser: unknown;
}

/** Field by field; calls that only one of them has are differences too. */
export function compare(docker: Recording, hawser: Recording): Difference[] {
  const differences: Difference[] = [];
  for (const call of new Set([...docker.keys(), ...hawser.keys()])) {
    const walk = (path: string, left: unknown, right: unknown) => {
      if (isObject(left) && isObject(right)) {
        for (const key of new Set([...Object.keys(left), ...Object.keys(right)])) {
          walk(path === "" ? key : `${path}.${key}`, left[key], right[key]);
        }
      } else if (JSON.stringify(left) !== JSON.stringify(right)) {
        differences.push({ call, path: path === "" ? "answer" : path, docker: left, hawser: right });
      }
    };
    walk("", docker.get(call), hawser.get(call));
  }
  return differences;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

export function formatDifference({ call, path, docker, hawser }: Difference): string {
  const show = (value: unknown) => (value === undefined ? "(not there)" : JSON.stringify(value));
  return `${call}\n    ${path}\n      docker: ${show(docker)}\n      hawser: ${show(hawser)}`;
}

/** One answer a line, so that a change of one is a change of a line. */
export function formatRecording(recording: Recording): string {
  return [...recording].map(([call, answer]) => `${JSON.stringify({ call, ...answer })}\n`).join("");
}

export function parseRecording(text: string): Recording {
  const lines = text.split("\n").filter((line) => line !== "");
  return new Map(
    lines.map((line) => {
      const { call, ...answer } = JSON.parse(line) as Recorded & { readonly call: string };
      return [call, answer];
    }),
  );
}
