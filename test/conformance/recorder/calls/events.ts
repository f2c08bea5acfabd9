import { call, type Scenario } from "../call.ts";

/** All that was told of what these name. */
const told = (filters: string) => call(`GET /events?since=1&until={now}&filters=${filters}`);
const quietly = { silent: true } as const;

const actions =
  "create start resize exec_create exec_start top archive-path extract-to-dir export commit pause unpause update rename kill die destroy".split(
    " ",
  );

/** What events tell of. Those that dockerd tells at about the same time are not asked for together. */
export const eventCalls: readonly Scenario[] = [
  {
    name: "events of a container",
    calls: [
      call(
        "POST /containers/create?name=told",
        { Image: "busybox", Cmd: ["sleep", "1000"], Tty: true, Labels: { a: "b" } },
        { ...quietly, keep: { told: "Id" } },
      ),
      call("POST /containers/told/start", undefined, quietly),
      call("POST /containers/told/resize?h=20&w=30"),
      call(
        "POST /containers/told/exec",
        { Cmd: ["sh", "-c", "exit 3"], AttachStdout: true },
        { ...quietly, keep: { exec: "Id" } },
      ),
      call("POST /exec/{exec}/start", {}, quietly),
      call("POST /containers/told/exec", { Cmd: ["true"] }, { ...quietly, keep: { exec: "Id" } }),
      call("GET /containers/told/top", undefined, quietly),
      call("GET /containers/told/archive?path=/etc/hostname", undefined, quietly),
      call("PUT /containers/told/archive?path=/", Buffer.alloc(1024), quietly),
      call("GET /containers/told/export", undefined, quietly),
      call("POST /commit?container=told&repo=told&comment=c", undefined, {
        ...quietly,
        keep: { image: "Id" },
      }),
      call("POST /containers/told/update", { CpuShares: 100 }, quietly),
      call("POST /containers/told/rename?name=other", undefined, quietly),
      call("POST /containers/other/kill?signal=KILL", undefined, quietly),
      call("POST /containers/other/wait", undefined, quietly),
      call("DELETE /containers/other", undefined, quietly),
      told(`{"container":["{told}"],"event":${JSON.stringify(actions)}}`),
      told('{"label":["a=b"],"event":["create"],"container":["{told}"]}'),
    ],
  },
  {
    name: "events of an image",
    calls: [
      call("POST /containers/create?name=one", { Image: "busybox", Cmd: ["true"] }, quietly),
      call("POST /commit?container=one&repo=told&tag=1", undefined, { ...quietly, keep: { image: "Id" } }),
      call("POST /images/told:1/tag?repo=told&tag=2", undefined, quietly),
      call("GET /images/told:1/get", undefined, quietly),
      call("DELETE /images/told:2", undefined, quietly),
      call("DELETE /images/told:1", undefined, quietly),
      told('{"type":["image"],"image":["{image}"]}'),
    ],
  },
  {
    name: "events of other things",
    calls: [
      call("POST /networks/create", { Name: "told" }, { ...quietly, keep: { network: "Id" } }),
      call("POST /volumes/create", { Name: "told" }, quietly),
      call(
        "POST /containers/create?name=one",
        { Image: "busybox", Cmd: ["true"], HostConfig: { Binds: ["told:/a"], NetworkMode: "told" } },
        { ...quietly, keep: { one: "Id" } },
      ),
      call("POST /containers/one/start", undefined, quietly),
      call("POST /containers/one/wait", undefined, quietly),
      call("DELETE /containers/one", undefined, quietly),
      call("DELETE /networks/told", undefined, quietly),
      call("DELETE /volumes/told", undefined, quietly),
      told('{"type":["network"],"network":["{network}"]}'),
      told('{"type":["volume"],"volume":["told"]}'),
    ],
  },
];
