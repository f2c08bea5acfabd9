import { Fault } from "@hawser/base";
import { printLine, type Session, warnLine } from "../session.ts";

/**
 * Do something for each argument at the same time and print, in the order given, what each gives; refusals come last, all of
 * them. The result is the exit code.
 */
export async function eachArgument(
  session: Session,
  args: readonly string[],
  options: {
    readonly action: (arg: string) => Promise<string>;
    /** Refusals that are told but are no failure. */
    readonly forgives?: (fault: Fault) => boolean;
  },
): Promise<number> {
  const results = await Promise.allSettled(args.map(options.action));
  const refusals: Fault[] = [];
  for (const result of results) {
    if (result.status === "fulfilled") await printLine(session, result.value);
    else refusals.push(Fault.from(result.reason));
  }
  for (const { message } of refusals) await warnLine(session, message);
  return refusals.every((fault) => options.forgives?.(fault) === true) ? 0 : 1;
}

/** The path of a container's endpoint. */
export function containerPath(container: string, verb = ""): string {
  return `/containers/${encodeURIComponent(container)}${verb === "" ? "" : `/${verb}`}`;
}

/** The path of a network's endpoint. */
export function networkPath(network: string, verb = ""): string {
  return `/networks/${encodeURIComponent(network)}${verb === "" ? "" : `/${verb}`}`;
}

/** The path of a volume's endpoint. */
export function volumePath(volume: string, verb: string): string {
  return `/volumes/${encodeURIComponent(volume)}/${verb}`;
}

/** The path of an image's endpoint; what separates the parts of a name stays. */
export function imagePath(image: string, verb = ""): string {
  const name = encodeURIComponent(image).replace(/%(?:2F|3A|40)/g, decodeURIComponent);
  return `/images/${name}${verb === "" ? "" : `/${verb}`}`;
}
