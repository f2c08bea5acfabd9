import { type Call, call, type Scenario } from "../call.ts";
import { quietly, run, say } from "./details.ts";

const upgrade = { Connection: "Upgrade", Upgrade: "tcp" };

/** A client whose input ends is sent away, and the program's input stays open for the next one. */
const detached = (name: string, stdin: object, until: string): Call[] => [
  call(`POST /containers/create?name=${name}`, { Image: "busybox", Cmd: ["cat"], ...stdin }, quietly),
  call(`POST /containers/${name}/start`, undefined, quietly),
  call(`POST /containers/${name}/attach?stream=1&stdin=1`, undefined, { headers: upgrade, input: "typed\n" }),
  call(`POST /containers/${name}/attach?stream=1&logs=1&stdin=1&stdout=1`, undefined, {
    note: "again",
    headers: upgrade,
    until,
  }),
  call(`GET /containers/${name}/top`, undefined, { shape: true }),
];

/** Terminals that are there and that are not, and input that ends. */
export const terminalCalls: readonly Scenario[] = [
  {
    name: "terminals and streams",
    calls: [
      ...run("one"),
      call("POST /containers/one/resize?h=20&w=30", undefined, { note: "no terminal" }),
      call("POST /containers/one/exec", { Cmd: ["sleep", "100"] }, { keep: { plain: "Id" } }),
      call("POST /exec/{plain}/start", { Detach: true }),
      call("POST /exec/{plain}/resize?h=20&w=30", undefined, { note: "no terminal" }),
      call("POST /containers/one/exec", say("[ -t 1 ] || echo none"), { keep: { framed: "Id" } }),
      call(
        "POST /exec/{framed}/start",
        { Tty: true },
        { note: "told to be raw", headers: upgrade, input: "" },
      ),
      call(
        "POST /containers/one/exec",
        { ...say("[ -t 1 ] && echo one"), Tty: true },
        { keep: { raw: "Id" } },
      ),
      call("POST /exec/{raw}/start", {}, { note: "told to be framed", headers: upgrade, input: "" }),
      ...["1.41", "1.42"].map((version) =>
        call(
          `POST /v${version}/containers/create?name=sized${version}`,
          { Image: "busybox", Cmd: ["stty", "size"], Tty: true, HostConfig: { ConsoleSize: [11, 22] } },
          quietly,
        ),
      ),
      call("POST /containers/sized1.42/start", undefined, quietly),
      call("POST /containers/sized1.42/wait", undefined, quietly),
      call("GET /containers/sized1.42/logs?stdout=1"),
      call("GET /containers/sized1.41/json"),
      ...detached("kept-open", { OpenStdin: true }, "typed\n"),
      ...detached(
        "kept-by-a-terminal",
        { OpenStdin: true, StdinOnce: true, Tty: true },
        "typed\r\ntyped\r\n",
      ),
      call("GET /containers/one/logs?stdout=1&until=0&since=0"),
      call("POST /containers/create?name=failing", { Image: "busybox", Cmd: ["/nope"] }, quietly),
      call("POST /containers/failing/start", undefined, quietly),
      call("POST /v1.33/containers/failing/wait", undefined, { note: "never ran", shape: true }),
    ],
  },
];
