import type { FileAction } from "../grpc/generated/llb_pb.ts";
import type { DefinedOp } from "./read-definition.ts";

/** What an op is called where its client does not say, in BuildKit's words. @param nameOf those before it */
export function opName({ op, inputs, name }: DefinedOp, nameOf: (digest: string) => string): string {
  if (name !== undefined) return name;
  const side = (number: bigint | undefined) => {
    const input = inputs[Number(number ?? -1n)];
    return input === undefined ? "scratch" : `(${nameOf(input.digest)})`;
  };
  const called = (): string => {
    switch (op.case) {
      case "source":
        return op.value.identifier;
      case "exec":
        return op.value.meta?.args.join(" ") ?? "";
      case "file":
        return op.value.actions.map(actionName).join(", ");
      case "build":
        return "build";
      case "merge":
        return `merge (${inputs.map(({ digest }) => nameOf(digest)).join(", ")})`;
      case "diff":
        return `diff ${side(op.value.lower?.input)} -> ${side(op.value.upper?.input)}`;
      case undefined:
        return "unknown";
    }
  };
  // Names of merges repeat those below, which repeat those below.
  return called().slice(0, maxChars);
}

function actionName({ action }: FileAction): string {
  switch (action.case) {
    case "copy":
      return `copy ${action.value.src} ${action.value.dest}`;
    case "mkfile":
      return `mkfile ${action.value.path}`;
    case "mkdir":
      return `mkdir ${action.value.path}`;
    case "rm":
      return `rm ${action.value.path}`;
    case "symlink":
      return `symlink ${action.value.newPath} -> ${action.value.oldPath}`;
    case undefined:
      return "unknown";
  }
}

const maxChars = 1000;
