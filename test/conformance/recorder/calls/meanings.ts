import { call, query, type Scenario } from "../call.ts";
import { noted, quietly, run } from "./details.ts";

const sharing = { Image: "busybox", HostConfig: { NetworkMode: "container:other" } };

/** What a create means beside an image, a network and a version; and what means nothing. */
export const meaningCalls: readonly Scenario[] = [
  {
    name: "what contradicts itself",
    calls: [
      ...run("other"),
      ...noted("POST /containers/create", [
        { ...sharing, Hostname: "a" },
        { ...sharing, Domainname: "a" },
        { ...sharing, ExposedPorts: { "80/tcp": {} } },
        ...[
          { Dns: ["1.1.1.1"] },
          { DnsSearch: ["a"] },
          { ExtraHosts: ["a:1.1.1.1"] },
          { PublishAllPorts: true },
          { PortBindings: { "80/tcp": [{}] } },
          { Links: ["other"] },
        ].map((more) => ({ Image: "busybox", HostConfig: { ...sharing.HostConfig, ...more } })),
        { Image: "busybox", HostConfig: { NetworkMode: "host", Links: ["other"] } },
        { Image: "busybox", HostConfig: { NetworkMode: "none", Links: ["other"] } },
        { Image: "busybox", Hostname: "a", HostConfig: { UTSMode: "host" } },
        { Image: "busybox", Hostname: "a", HostConfig: { NetworkMode: "host" } },
      ]),
      ...[
        { Capabilities: [["gpu"]], Count: -1 },
        { Driver: "nope", Capabilities: [["a", "b"], ["c"]] },
      ].flatMap((request, index) => [
        call(
          `POST /containers/create?name=device${index}`,
          { Image: "busybox", HostConfig: { DeviceRequests: [request] } },
          quietly,
        ),
        call(`POST /containers/device${index}/start`),
        call(`GET /containers/device${index}/json`),
      ]),
      ...["writable-cgroups", "writable-cgroups=false", "writable-cgroups=x", "writable-cgroups="].map(
        (option) =>
          call(
            "POST /containers/create",
            { Image: "busybox", HostConfig: { SecurityOpt: [option] } },
            { note: option },
          ),
      ),
    ],
  },
  {
    name: "what an image says, and a create beside it",
    calls: [
      call("POST /containers/create?name=base", { Image: "busybox" }, quietly),
      call(
        `POST /commit?container=base&repo=said&changes=${query('ENTRYPOINT ["echo","e"]')}&changes=${query('CMD ["c"]')}&changes=${query("HEALTHCHECK --interval=7s --timeout=6s --retries=5 --start-period=4s --start-interval=2s CMD echo hi")}`,
        {},
        quietly,
      ),
      ...[
        {},
        { Entrypoint: [] },
        { Entrypoint: [""] },
        { Entrypoint: [""], Cmd: ["x"] },
        { Entrypoint: ["pwd"] },
        { Cmd: [] },
        { Healthcheck: {} },
        { Healthcheck: { Test: [] } },
        { Healthcheck: { Test: ["NONE"] } },
        { Healthcheck: { Retries: 2, Interval: 9_000_000_000 } },
        { Healthcheck: { Test: ["CMD-SHELL", "x"] } },
      ].flatMap((body, index) => [
        call(
          `POST /containers/create?name=said${index}`,
          { Image: "said", ...body },
          { note: JSON.stringify(body) },
        ),
        call(`GET /containers/said${index}/json`, undefined, { note: JSON.stringify(body) }),
      ]),
      ...["1.24", "1.42", "1.43", "1.44"].flatMap((version) => [
        call(
          `POST /v${version}/containers/create?name=by${version}`,
          {
            Image: "said",
            Healthcheck: { StartInterval: 5_000_000_000 },
            HostConfig: {
              AutoRemove: true,
              ConsoleSize: [5, 6],
              Annotations: { a: "b" },
              IpcMode: "private",
            },
          },
          quietly,
        ),
        call(`GET /containers/by${version}/json`),
      ]),
    ],
  },
];
