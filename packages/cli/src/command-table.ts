import type { Command } from "./command.ts";

/** A command as help lists it; the code is loaded when it is called. */
export interface CommandEntry {
  /** Noun and verb, `container run`. */
  readonly path: string;
  /** Other verbs of the same noun. */
  readonly aliases?: readonly string[];
  /** Also at the top level, under this name. */
  readonly short?: string;
  /** Listed first in the top level's help. */
  readonly common?: boolean;
  /** For programs: help does not list it. */
  readonly hidden?: boolean;
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** The nouns and what help says of them. */
export const groups: Readonly<Record<string, string>> = {
  builder: "Manage builds",
  container: "Manage containers",
  context: "Manage contexts",
  image: "Manage images",
  network: "Manage networks",
  system: "Manage Hawser",
  volume: "Manage volumes",
};

/** Every verb. Those without a noun exist at the top level only. */
export const commands: readonly CommandEntry[] = [
  {
    path: "container run",
    short: "run",
    common: true,
    summary: "Create and run a new container from an image",
    load: () => import("./commands/container/run.ts"),
  },
  {
    path: "container exec",
    short: "exec",
    common: true,
    summary: "Execute a command in a running container",
    load: () => import("./commands/container/exec.ts"),
  },
  {
    path: "image build",
    short: "build",
    common: true,
    summary: "Build an image from a Dockerfile",
    load: () => import("./commands/image/build.ts"),
  },
  {
    path: "builder build",
    hidden: true,
    summary: "Build an image from a Dockerfile",
    load: () => import("./commands/image/build.ts"),
  },
  {
    path: "builder export",
    summary: "Export what RUN --mount=type=cache has kept as a tar archive",
    load: () => import("./commands/builder/export.ts"),
  },
  {
    path: "builder import",
    summary: "Import what RUN --mount=type=cache has kept elsewhere",
    load: () => import("./commands/builder/import.ts"),
  },
  {
    path: "builder prune",
    summary: "Remove build cache",
    load: () => import("./commands/builder/prune.ts"),
  },
  {
    path: "container ls",
    aliases: ["list", "ps"],
    short: "ps",
    common: true,
    summary: "List containers",
    load: () => import("./commands/container/ls.ts"),
  },
  {
    path: "image ls",
    aliases: ["list"],
    short: "images",
    common: true,
    summary: "List images",
    load: () => import("./commands/image/ls.ts"),
  },
  {
    path: "login",
    common: true,
    summary: "Authenticate to a registry",
    load: () => import("./commands/registry/login.ts"),
  },
  {
    path: "logout",
    common: true,
    summary: "Log out from a registry",
    load: () => import("./commands/registry/logout.ts"),
  },
  {
    path: "search",
    common: true,
    summary: "Search Docker Hub for images",
    load: () => import("./commands/registry/search.ts"),
  },
  {
    path: "version",
    common: true,
    summary: "Show the Hawser version information",
    load: () => import("./commands/system/version.ts"),
  },
  {
    path: "system info",
    short: "info",
    common: true,
    summary: "Display system-wide information",
    load: () => import("./commands/system/info.ts"),
  },
  {
    path: "container attach",
    short: "attach",
    summary: "Attach local standard input, output, and error streams to a running container",
    load: () => import("./commands/container/attach.ts"),
  },
  {
    path: "container create",
    short: "create",
    summary: "Create a new container",
    load: () => import("./commands/container/create.ts"),
  },
  {
    path: "container inspect",
    summary: "Display detailed information on one or more containers",
    load: () => import("./commands/container/inspect.ts"),
  },
  {
    path: "container kill",
    short: "kill",
    summary: "Kill one or more running containers",
    load: () => import("./commands/container/kill.ts"),
  },
  {
    path: "container logs",
    short: "logs",
    summary: "Fetch the logs of a container",
    load: () => import("./commands/container/logs.ts"),
  },
  {
    path: "container restart",
    short: "restart",
    summary: "Restart one or more containers",
    load: () => import("./commands/container/restart.ts"),
  },
  {
    path: "container rm",
    aliases: ["remove"],
    short: "rm",
    summary: "Remove one or more containers",
    load: () => import("./commands/container/rm.ts"),
  },
  {
    path: "container start",
    short: "start",
    summary: "Start one or more stopped containers",
    load: () => import("./commands/container/start.ts"),
  },
  {
    path: "container stop",
    short: "stop",
    summary: "Stop one or more running containers",
    load: () => import("./commands/container/stop.ts"),
  },
  {
    path: "container wait",
    short: "wait",
    summary: "Block until one or more containers stop, then print their exit codes",
    load: () => import("./commands/container/wait.ts"),
  },
  {
    path: "image import",
    short: "import",
    summary: "Import the contents from a tarball to create a filesystem image",
    load: () => import("./commands/image/import.ts"),
  },
  {
    path: "image inspect",
    summary: "Display detailed information on one or more images",
    load: () => import("./commands/image/inspect.ts"),
  },
  {
    path: "image pull",
    short: "pull",
    common: true,
    summary: "Download an image from a registry",
    load: () => import("./commands/image/pull.ts"),
  },
  {
    path: "image push",
    short: "push",
    common: true,
    summary: "Upload an image to a registry",
    load: () => import("./commands/image/push.ts"),
  },
  {
    path: "image load",
    short: "load",
    summary: "Load an image from a tar archive or STDIN",
    load: () => import("./commands/image/load.ts"),
  },
  {
    path: "image rm",
    aliases: ["remove"],
    short: "rmi",
    summary: "Remove one or more images",
    load: () => import("./commands/image/rm.ts"),
  },
  {
    path: "image tag",
    short: "tag",
    summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    load: () => import("./commands/image/tag.ts"),
  },
  {
    path: "completion",
    hidden: true,
    summary: "Generate the autocompletion script for the specified shell",
    load: () => import("./commands/completion.ts"),
  },
  {
    path: "context create",
    summary: "Create a context",
    load: () => import("./commands/context/create.ts"),
  },
  {
    path: "context export",
    summary: "Export a context to a tar archive FILE or a tar stream on STDOUT.",
    load: () => import("./commands/context/export.ts"),
  },
  {
    path: "context import",
    summary: "Import a context from a tar or zip file",
    load: () => import("./commands/context/import.ts"),
  },
  {
    path: "context inspect",
    summary: "Display detailed information on one or more contexts",
    load: () => import("./commands/context/inspect.ts"),
  },
  {
    path: "context ls",
    aliases: ["list"],
    summary: "List contexts",
    load: () => import("./commands/context/ls.ts"),
  },
  {
    path: "context rm",
    aliases: ["remove"],
    summary: "Remove one or more contexts",
    load: () => import("./commands/context/rm.ts"),
  },
  {
    path: "context show",
    summary: "Print the name of the current context",
    load: () => import("./commands/context/show.ts"),
  },
  {
    path: "context update",
    summary: "Update a context",
    load: () => import("./commands/context/update.ts"),
  },
  {
    path: "context use",
    summary: "Set the current docker context",
    load: () => import("./commands/context/use.ts"),
  },
  {
    path: "network connect",
    summary: "Connect a container to a network",
    load: () => import("./commands/network/connect.ts"),
  },
  {
    path: "network create",
    summary: "Create a network",
    load: () => import("./commands/network/create.ts"),
  },
  {
    path: "network disconnect",
    summary: "Disconnect a container from a network",
    load: () => import("./commands/network/disconnect.ts"),
  },
  {
    path: "network inspect",
    summary: "Display detailed information on one or more networks",
    load: () => import("./commands/network/inspect.ts"),
  },
  {
    path: "network ls",
    aliases: ["list"],
    summary: "List networks",
    load: () => import("./commands/network/ls.ts"),
  },
  {
    path: "network prune",
    summary: "Remove all unused networks",
    load: () => import("./commands/network/prune.ts"),
  },
  {
    path: "network rm",
    aliases: ["remove"],
    summary: "Remove one or more networks",
    load: () => import("./commands/network/rm.ts"),
  },
  {
    path: "container port",
    short: "port",
    summary: "List port mappings or a specific mapping for the container",
    load: () => import("./commands/container/port.ts"),
  },
  {
    path: "inspect",
    summary: "Return low-level information on Hawser objects",
    load: () => import("./commands/system/inspect.ts"),
  },
  {
    path: "system df",
    summary: "Show disk usage",
    load: () => import("./commands/system/df.ts"),
  },
  {
    path: "system dial-stdio",
    hidden: true,
    summary: "Proxy the stdio stream to the daemon connection",
    load: () => import("./commands/system/dial-stdio.ts"),
  },
  {
    path: "system prune",
    summary: "Remove unused data",
    load: () => import("./commands/system/prune.ts"),
  },
  {
    path: "system events",
    short: "events",
    summary: "Get real time events from the server",
    load: () => import("./commands/system/events.ts"),
  },
  {
    path: "container commit",
    short: "commit",
    summary: "Create a new image from a container's changes",
    load: () => import("./commands/container/commit.ts"),
  },
  {
    path: "container cp",
    short: "cp",
    summary: "Copy files/folders between a container and the local filesystem",
    load: () => import("./commands/container/cp.ts"),
  },
  {
    path: "container diff",
    short: "diff",
    summary: "Inspect changes to files or directories on a container's filesystem",
    load: () => import("./commands/container/diff.ts"),
  },
  {
    path: "container export",
    short: "export",
    summary: "Export a container's filesystem as a tar archive",
    load: () => import("./commands/container/export.ts"),
  },
  {
    path: "container pause",
    short: "pause",
    summary: "Pause all processes within one or more containers",
    load: () => import("./commands/container/pause.ts"),
  },
  {
    path: "container prune",
    summary: "Remove all stopped containers",
    load: () => import("./commands/container/prune.ts"),
  },
  {
    path: "container rename",
    short: "rename",
    summary: "Rename a container",
    load: () => import("./commands/container/rename.ts"),
  },
  {
    path: "container stats",
    short: "stats",
    summary: "Display a live stream of container(s) resource usage statistics",
    load: () => import("./commands/container/stats.ts"),
  },
  {
    path: "container top",
    short: "top",
    summary: "Display the running processes of a container",
    load: () => import("./commands/container/top.ts"),
  },
  {
    path: "container unpause",
    short: "unpause",
    summary: "Unpause all processes within one or more containers",
    load: () => import("./commands/container/unpause.ts"),
  },
  {
    path: "container update",
    short: "update",
    summary: "Update configuration of one or more containers",
    load: () => import("./commands/container/update.ts"),
  },
  {
    path: "image history",
    short: "history",
    summary: "Show the history of an image",
    load: () => import("./commands/image/history.ts"),
  },
  {
    path: "image prune",
    summary: "Remove unused images",
    load: () => import("./commands/image/prune.ts"),
  },
  {
    path: "image save",
    short: "save",
    summary: "Save one or more images to a tar archive (streamed to STDOUT by default)",
    load: () => import("./commands/image/save.ts"),
  },
  {
    path: "volume clone",
    summary: "Create a volume with the files of another",
    load: () => import("./commands/volume/clone.ts"),
  },
  {
    path: "volume create",
    summary: "Create a volume",
    load: () => import("./commands/volume/create.ts"),
  },
  {
    path: "volume export",
    summary: "Export a volume's files as a tar archive",
    load: () => import("./commands/volume/export.ts"),
  },
  {
    path: "volume import",
    summary: "Create a volume from a tar archive, or fill one",
    load: () => import("./commands/volume/import.ts"),
  },
  {
    path: "volume inspect",
    summary: "Display detailed information on one or more volumes",
    load: () => import("./commands/volume/inspect.ts"),
  },
  {
    path: "volume ls",
    aliases: ["list"],
    summary: "List volumes",
    load: () => import("./commands/volume/ls.ts"),
  },
  {
    path: "volume prune",
    summary: "Remove unused local volumes",
    load: () => import("./commands/volume/prune.ts"),
  },
  {
    path: "volume rm",
    aliases: ["remove"],
    summary: "Remove one or more volumes",
    load: () => import("./commands/volume/rm.ts"),
  },
];

export interface FoundCommand {
  readonly entry: CommandEntry;
  /** As typed, without the program: `container ls`. */
  readonly typed: string;
  /** What follows the command's name. */
  readonly rest: readonly string[];
}

/** The command that the words begin with; a noun alone is a group. */
export function findCommand(words: readonly string[]): FoundCommand | undefined {
  const [first = "", second = ""] = words;
  if (Object.hasOwn(groups, first)) {
    const entry = commands.find(
      ({ path, aliases = [] }) =>
        [path, ...aliases.map((alias) => `${first} ${alias}`)].includes(`${first} ${second}`) &&
        path.startsWith(`${first} `),
    );
    return entry && { entry, typed: `${first} ${second}`, rest: words.slice(2) };
  }
  const entry = commands.find(({ path, short }) => (short ?? path) === first);
  return entry && { entry, typed: first, rest: words.slice(1) };
}

/** Whether the word is a noun or a verb of ours. */
export function isCommandWord(word: string): boolean {
  return Object.hasOwn(groups, word) || commands.some(({ path, short }) => (short ?? path) === word);
}
