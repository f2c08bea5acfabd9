import { posix } from "node:path";
import { compileIgnorePatterns } from "@hawser/base";
import { invalidAt } from "../dockerfile/faults.ts";
import { Flags } from "../dockerfile/flags.ts";
import { parseHeredocWord } from "../dockerfile/heredoc.ts";
import type { InstructionNode } from "../dockerfile/parse-dockerfile.ts";
import { parseGitReference } from "../plan/git-reference.ts";
import { type CopySource, createVertex, type Vertex } from "../plan/vertex.ts";
import { heredocText, type PlannedStep, type RunContext } from "./plan-run.ts";
import type { Stage } from "./stage.ts";

/** `COPY` and `ADD`: files of the context, of another stage or of the net into the stage's file system. */
export async function planCopy(
  node: InstructionNode,
  stage: Stage,
  at: RunContext & { readonly escape: string },
): Promise<PlannedStep> {
  const isAdd = node.name === "ADD";
  const flags = new Flags(node);
  const bad = (words: string) => invalidAt(node.range, words);
  const value = (name: string) => {
    const text = flags.text(name);
    return text === undefined ? undefined : at.scope.word(text);
  };
  const from = flags.text("from");
  const input = from ? await at.find(from) : at.context;
  if (from && input === undefined) throw bad(`COPY --from=${from}: there is nothing in it`);
  const words = node.args.map((word) => (parseHeredocWord(word) === undefined ? at.scope.word(word) : word));
  const targetText = words.at(-1) ?? "";
  const texts = [...node.heredocs];
  const checksum = value("checksum");
  if (checksum !== undefined) {
    // Nobody is to believe that something was compared which was not.
    if (words.length > 2) throw bad("checksum can't be specified for multiple sources");
    if (placeOf(words[0] ?? "") === "context") throw bad("checksum requires HTTP(S) or Git sources");
  }
  const inputs: (Vertex | undefined)[] = [stage.root];
  let fromInput: number | undefined;
  const sources = words.slice(0, -1).map((word): CopySource => {
    const opening = node.isJson ? undefined : parseHeredocWord(word);
    const text = opening === undefined ? undefined : texts.shift();
    if (text !== undefined) return { kind: "text", name: text.name, content: heredocText(text, at) };
    const place = placeOf(word);
    if (!isAdd && place !== "context")
      throw bad(`source can't be a ${place === "git" ? "git ref" : "URL"} for COPY`);
    if (place === "git") {
      const keepsGitDir = flags.switch("keep-git-dir");
      const reference = checksum === undefined ? word : pinned(word, checksum);
      inputs.push(createVertex({ kind: "git", reference, keepsGitDir }));
      return { kind: "path", input: inputs.length - 1, path: "/" };
    }
    if (place === "net") {
      if (checksum !== undefined && !/^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[\w=-]+$/i.test(checksum))
        throw bad("invalid checksum digest format");
      const file = { url: word, ...(checksum !== undefined && { checksum }), name: nameOfUrl(word) };
      inputs.push(createVertex({ kind: "http", ...file, mode: 0o600, uid: 0, gid: 0 }));
      const unpacks = flags.switch("unpack");
      return { kind: "path", input: inputs.length - 1, path: "*", isFetched: true, unpacks };
    }
    if (!isPattern(word)) throw bad(`invalid includepatterns: [${word}]: syntax error in pattern`);
    fromInput ??= inputs.push(input) - 1;
    return { kind: "path", input: fromInput, path: word };
  });
  const isFolder = targetText.endsWith("/") || targetText === "." || targetText.endsWith("/.");
  const target = posix.resolve(stage.execution.workingDir || "/", targetText);
  const mode = value("chmod") || undefined;
  const isOctal = mode !== undefined && /^0*[0-7]{1,4}$/.test(mode);
  if (mode !== undefined && !isOctal && !symbolicMode.test(mode)) {
    const words = `invalid chmod parameter: '${mode}'. it should be octal string and between 0 and 07777`;
    throw bad(/^\d/.test(mode) ? words : "invalid syntax");
  }
  const owner = value("chown");
  const keepsParents = !isAdd && flags.switch("parents");
  const root = createVertex(
    {
      kind: "copy",
      sources,
      target: isFolder && target !== "/" ? `${target}/` : target,
      ...(owner !== undefined && { owner }),
      ...(mode !== undefined && (isOctal ? { mode: Number.parseInt(mode, 8) } : { modeText: mode })),
      keepsParents,
      exclude: excluded(
        flags.texts("exclude").map((pattern) => at.scope.word(pattern)),
        bad,
      ),
      unpacks: isAdd && (!flags.has("unpack") || flags.switch("unpack")),
    },
    inputs,
  );
  const told = [
    node.name,
    ...(keepsParents ? ["--parents"] : []),
    ...(owner ? [`--chown=${owner}`] : []),
    ...(mode ? [`--chmod=${mode}`] : []),
    ...words.filter((_, at) => sources[at]?.kind === "path"),
    ...sources.flatMap((source) => (source.kind === "text" ? [`<<${source.name}`] : [])),
    targetText,
  ];
  return { root, createdBy: `${told.join(" ")} # buildkit` };
}

/** Where a source is: `github.com/a/b`, which a build's context may be called, is a path here. */
export function placeOf(word: string): "git" | "net" | "context" {
  if (/^[^/#]*:/.test(word) && parseGitReference(word) !== undefined) return "git";
  return /^https?:\/\//i.test(word) ? "net" : "context";
}

/** BuildKit's patterns are of paths without a slash at their beginning: one that has it fits nothing. */
function excluded(patterns: readonly string[], bad: (words: string) => Error): readonly string[] {
  try {
    compileIgnorePatterns(patterns);
  } catch {
    throw bad(`invalid excludepatterns: [${patterns.join(" ")}]: syntax error in pattern`);
  }
  return patterns.filter((pattern) => !pattern.startsWith("/"));
}

/** Go's `filepath.Match`: what opens a set closes it, and at its end no character is taken as it is. */
function isPattern(text: string): boolean {
  return !/\\$|\[/.test(text.replace(/\\[^]|\[(?:\^?)(?:\\[^]|[^\\\]])+\]/g, ""));
}

const symbolicMode = /^[ugoa]*(?:[-+=][rwxXst]*)+(?:,[ugoa]*(?:[-+=][rwxXst]*)+)*$/;

/** What a file is called that is at an address. */
export function nameOfUrl(url: string): string {
  const path = URL.parse(url)?.pathname ?? "";
  const name = posix.basename(decode(path));
  return ["", ".", ".."].includes(name) || name.includes("\0") ? "__unnamed__" : name;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not UTF-8
  }
}

/** A repository at the commit that a checksum names, whatever branch or tag was given. */
function pinned(text: string, commit: string): string {
  const folder = parseGitReference(text)?.folder;
  const place = text.replace(/[#?].*$/s, "");
  return `${place}#${commit}${folder === undefined ? "" : `:${folder}`}`;
}
