import { matchesLabels, parseFilters } from "@hawser/api";
import { defineFaults, Fault } from "@hawser/base";
import type { Collaborators } from "../../containers/collaborators.ts";
import type { Container } from "../../containers/container.ts";
import type { ContainerFilter } from "../../containers/list.ts";
import { mountsOf } from "../../containers/plan-mounts.ts";
import { attachmentsOf } from "../../networks/attachment.ts";

import { formatPortList } from "../wire/network-settings.ts";

const filterFaults = defineFaults({
  FILTER_VALUE_INVALID: [
    "invalid-argument",
    (name: string, value: string, why = "") =>
      `invalid filter '${name}=${value}'${why === "" ? "" : `: ${why}`}`,
  ],
});

const known = [
  "ancestor",
  "before",
  "exited",
  "expose",
  "health",
  "id",
  "is-task",
  "label",
  "name",
  "network",
  "publish",
  "since",
  "status",
  "volume",
] as const;
const statuses = ["created", "running", "paused", "restarting", "removing", "exited", "dead"];

type Test = (container: Container) => boolean;

/**
 * The `filters` of `GET /containers/json`: all names must hold, any value of a name is enough (of `label`, all).
 * @throws {Fault} `invalid-argument`; `not-found` for `before` and `since`.
 */
export function parseContainerFilter(
  text: string | undefined,
  collaborators: Collaborators,
): ContainerFilter {
  const filters = parseFilters(text, known);
  const tests = known.flatMap((name) => {
    const values = filters.get(name) ?? [];
    return values.length === 0 ? [] : [testOf(name, values, collaborators)];
  });
  return {
    matches: (container) => tests.every((test) => test(container)),
    anyStatus: filters.has("status") || filters.has("exited"),
  };
}

function testOf(name: (typeof known)[number], values: readonly string[], collaborators: Collaborators): Test {
  const { index, images } = collaborators;
  switch (name) {
    case "ancestor": {
      const ids = new Set(values.map((value) => imageIdOf(images, value)));
      return ({ record }) => ids.has(record.imageId);
    }
    case "before":
      return all(values.map((value) => createdBefore(index.resolve(value))));
    case "since":
      return all(values.map((value) => createdAfter(index.resolve(value))));
    case "exited": {
      const codes = new Set(values.map((value) => readInteger(name, value)));
      return ({ record }) => record.state.status === "exited" && codes.has(record.state.exitCode);
    }
    case "expose":
    case "publish": {
      const wanted = values.map((value) => parsePortFilter(name, value));
      return ({ record }) =>
        formatPortList(record).some(({ PrivatePort, PublicPort, Type }) => {
          const port = name === "publish" ? PublicPort : PrivatePort;
          return wanted.some(
            ({ first, last, protocol }) =>
              port !== undefined && port >= first && port <= last && protocol === Type,
          );
        });
    }
    case "health":
      checkWords(name, values, { known: ["none", "starting", "healthy", "unhealthy"], what: "health" });
      return ({ record }) => values.includes(record.health?.status ?? "none");
    case "id":
      return ({ id }) => values.some((value) => id.startsWith(value) || matchesPattern(value, id));
    case "is-task": {
      if (values.some((value) => !["true", "1", "false", "0"].includes(value)))
        throw filterFaults.FILTER_VALUE_INVALID(name, `[${values.join(" ")}]`);
      return () => values.every((value) => value === "false" || value === "0");
    }
    case "label":
      return ({ record }) => matchesLabels(record.config.labels, values);
    case "name":
      return ({ record }) =>
        values.some(
          (value) => matchesPattern(value, `/${record.name}`) || matchesPattern(value, record.name),
        );
    case "network":
      return ({ record }) =>
        attachmentsOf(record).some(
          ({ network, networkId }) =>
            values.includes(network) ||
            (networkId !== "" && values.some((value) => networkId.startsWith(value))),
        );
    case "status": {
      checkWords(name, values, { known: statuses, what: "state" });
      return ({ record }) => values.includes(record.state.status);
    }
    case "volume":
      return ({ record }) =>
        mountsOf(record).some(({ volume, source, target }) =>
          values.some((value) => [volume?.name ?? source, target].includes(value)),
        );
  }
}

/** `8080`, `8000-8010/udp`. */
function parsePortFilter(name: string, text: string) {
  const [, from = "", to = from, protocol = "tcp"] =
    /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/.exec(text) ?? [];
  if (from === "") throw filterFaults.FILTER_VALUE_INVALID(name, text);
  return { first: Number(from), last: Number(to), protocol };
}

function checkWords(
  name: string,
  values: readonly string[],
  words: { readonly known: readonly string[]; readonly what: string },
): void {
  const { known, what } = words;
  const wrong = values.find((value) => !known.includes(value));
  if (wrong === undefined) return;
  const why = `invalid value for ${what} (${wrong}): must be one of ${known.join(", ")}`;
  throw filterFaults.FILTER_VALUE_INVALID(name, wrong, why);
}

function all(tests: readonly Test[]): Test {
  return (container) => tests.every((test) => test(container));
}

function createdBefore(other: Container): Test {
  return ({ record }) => record.createdAtMs < other.record.createdAtMs;
}

function createdAfter(other: Container): Test {
  return ({ record }) => record.createdAtMs > other.record.createdAtMs;
}

function readInteger(name: string, value: string): number {
  if (!/^-?\d{1,9}$/.test(value)) {
    const why = `strconv.Atoi: parsing ${JSON.stringify(value)}: invalid syntax`;
    throw filterFaults.FILTER_VALUE_INVALID(name, value, why);
  }
  return Number(value);
}

/** Docker takes names and ids as regular expressions; one that is none is taken to the letter. */
function matchesPattern(pattern: string, text: string): boolean {
  // A pattern comes from the API's user: only anchors and dots keep a meaning, so that none can take exponential time.
  const source = pattern.replace(/[*+?{}()|[\]\\]/g, "\\$&");
  return new RegExp(source).test(text);
}

/** `undefined`, which no container was made of, for an image that is not there. */
function imageIdOf(images: Collaborators["images"], nameOrId: string): string | undefined {
  try {
    return images.resolve(nameOrId).id;
  } catch (error) {
    if (Fault.is(error, "not-found")) return undefined;
    throw error;
  }
}
