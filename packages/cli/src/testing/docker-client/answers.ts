import type { FakeReply } from "../fake-engine.ts";

const id = (digit: string) => digit.repeat(64);
const digest = (digit: string) => `sha256:${id(digit)}`;

/**
 * What the scripted engine answers, to docker's client when it is recorded and to ours. Ages count from `nowSeconds`, since both
 * clients show them.
 */
export function answers(nowSeconds: number): Readonly<Record<string, FakeReply>> {
  const ago = (seconds: number) => nowSeconds - seconds;
  const containers = [
    {
      Id: id("1"),
      Names: ["/web", "/other/alias"],
      Image: "busybox:latest",
      ImageID: digest("a"),
      Command: `sh -c "sleep 1000; echo a long one <&> ü"`,
      Created: ago(3 * 3600),
      State: "running",
      Status: "Up 3 hours (healthy)",
      Ports: [
        { IP: "0.0.0.0", PrivatePort: 80, PublicPort: 8080, Type: "tcp" },
        { IP: "::", PrivatePort: 80, PublicPort: 8080, Type: "tcp" },
        { IP: "127.0.0.1", PrivatePort: 9000, PublicPort: 9000, Type: "udp" },
        { IP: "127.0.0.1", PrivatePort: 9001, PublicPort: 9001, Type: "udp" },
        { PrivatePort: 443, Type: "tcp" },
      ],
      Labels: { "com.example.some-label": "a value" },
      SizeRw: 12345,
      SizeRootFs: 4_567_890,
      HostConfig: { NetworkMode: "bridge" },
      NetworkSettings: { Networks: { bridge: { NetworkID: id("7") } } },
      Mounts: [
        { Type: "volume", Name: "data", Source: "/v/data", Destination: "/data", Driver: "local", RW: true },
        { Type: "bind", Source: "/a/long/folder/of/the/host", Destination: "/src", Mode: "", RW: true },
      ],
    },
    {
      Id: id("2"),
      Names: ["/done"],
      Image: digest("b"),
      ImageID: digest("b"),
      Command: "true",
      Created: ago(40 * 86_400),
      State: "exited",
      Status: "Exited (0) 5 weeks ago",
      Ports: [],
      Labels: {},
      HostConfig: { NetworkMode: "none" },
      NetworkSettings: { Networks: { none: { NetworkID: id("8") } } },
      Mounts: [],
    },
  ];
  const images = [
    {
      Id: digest("a"),
      ParentId: "",
      RepoTags: ["busybox:latest", "busybox:1"],
      RepoDigests: [`busybox@${digest("c")}`],
      Created: ago(100 * 86_400),
      Size: 4_261_574,
      SharedSize: -1,
      Labels: { a: "b" },
      Containers: 1,
    },
    {
      Id: digest("d"),
      ParentId: "",
      RepoTags: ["registry.example.com:5000/team/app:1.0"],
      RepoDigests: [],
      Created: ago(200 * 86_400),
      Size: 12_345_678,
      SharedSize: -1,
      Labels: null,
      Containers: 0,
    },
    {
      Id: digest("b"),
      ParentId: "",
      RepoTags: [],
      RepoDigests: [],
      Created: 0,
      Size: 999,
      SharedSize: 12,
      Labels: null,
      Containers: -1,
    },
  ];
  const volumes = [
    {
      Name: "data",
      Driver: "local",
      Mountpoint: "/v/data",
      Scope: "local",
      CreatedAt: "2024-01-01T00:00:00Z",
      Labels: { "com.example.some-label": "a value" },
      Options: null,
    },
    {
      Name: id("9"),
      Driver: "local",
      Mountpoint: "/v/other",
      Scope: "local",
      CreatedAt: "2024-01-01T00:00:00Z",
      Labels: null,
      Options: null,
    },
  ];
  const network = (name: string, more: object) => ({
    Name: name,
    Id: id("7"),
    Created: "2024-01-02T03:04:05.678901234Z",
    Scope: "local",
    Driver: "bridge",
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: { Driver: "default", Options: null, Config: [] },
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: {},
    Options: {},
    Labels: {},
    ...more,
  });
  const stats = {
    read: "2024-01-01T00:00:02Z",
    preread: "2024-01-01T00:00:01Z",
    name: "/web",
    id: id("1"),
    pids_stats: { current: 3, limit: 10 },
    blkio_stats: {
      io_service_bytes_recursive: [
        { major: 8, minor: 0, op: "read", value: 12_288 },
        { major: 8, minor: 0, op: "write", value: 4096 },
      ],
    },
    cpu_stats: {
      cpu_usage: { total_usage: 300_000_000 },
      system_cpu_usage: 2_000_000_000,
      online_cpus: 2,
    },
    precpu_stats: {
      cpu_usage: { total_usage: 100_000_000 },
      system_cpu_usage: 1_000_000_000,
      online_cpus: 2,
    },
    memory_stats: { usage: 10_485_760, stats: { inactive_file: 1_048_576 }, limit: 104_857_600 },
    networks: { eth0: { rx_bytes: 1234, tx_bytes: 567 } },
  };
  const [web] = containers;
  return {
    "GET /containers/json": () => containers,
    "GET /images/json": () => images,
    "GET /volumes": () => ({ Volumes: volumes, Warnings: null }),
    "GET /networks": () => [
      network("bridge", { Labels: { "com.example.some-label": "a value" } }),
      network("own", { Id: id("8"), EnableIPv6: true, Internal: true, Scope: "global", Driver: "overlay" }),
    ],
    "GET /images/busybox/history": () => [
      {
        Id: digest("a"),
        Created: ago(3600),
        CreatedBy: '/bin/sh -c #(nop)  CMD ["sh"]\twith a long text behind it <&>',
        Tags: ["busybox:latest"],
        Size: 0,
        Comment: "a comment",
      },
      {
        Id: "<missing>",
        Created: ago(400 * 86_400),
        CreatedBy: "ADD",
        Tags: null,
        Size: 4_261_574,
        Comment: "",
      },
    ],
    "GET /images/search": () => [
      {
        star_count: 12,
        is_official: true,
        name: "busybox",
        is_automated: false,
        description: "Tiny <things>",
      },
      {
        star_count: 0,
        is_official: false,
        name: "someone/busybox",
        is_automated: false,
        description: "A description that is longer than what is shown of it\nand has two lines",
      },
    ],
    "GET /system/df": () => ({
      LayersSize: 5_000_000,
      Images: images.map((image) => ({ ...image, SharedSize: 100, Containers: image.Containers })),
      Containers: containers,
      Volumes: volumes.map((volume, index) => ({ ...volume, UsageData: { RefCount: index, Size: 2048 } })),
      BuildCache: [
        {
          ID: "abcdefghijklmnopqrstuvwxy",
          Type: "regular",
          Description: "a step",
          InUse: false,
          Shared: false,
          Size: 4096,
          CreatedAt: new Date(ago(7200) * 1000).toISOString(),
          LastUsedAt: new Date(ago(3600) * 1000).toISOString(),
          UsageCount: 2,
        },
        {
          ID: "zyxwvutsrqponmlkjihgfedcb",
          Type: "source.local",
          Description: "local",
          InUse: true,
          Shared: true,
          Size: 100,
          CreatedAt: new Date(ago(7200) * 1000).toISOString(),
          LastUsedAt: null,
          UsageCount: 0,
        },
      ],
    }),
    ...Object.fromEntries(
      [id("1"), id("2")]
        .flatMap((whole) => [whole, whole.slice(0, 12)])
        .map((name) => [`GET /containers/${name}/stats`, () => ({ ...stats, id: name.padEnd(64, name) })]),
    ),
    "GET /containers/web/stats": () => stats,
    "GET /containers/web/json": () => ({
      ...web,
      Created: "2024-01-01T00:00:00Z",
      State: { Status: "running", Running: true },
      Name: "/web",
      Config: { Tty: false },
      NetworkSettings: {
        Ports: {
          "80/tcp": [
            { HostIp: "0.0.0.0", HostPort: "8080" },
            { HostIp: "::", HostPort: "8080" },
          ],
          "443/tcp": null,
        },
      },
    }),
    "GET /containers/web/changes": () => [
      { Path: "/etc", Kind: 0 },
      { Path: "/etc/new", Kind: 1 },
      { Path: "/gone", Kind: 2 },
    ],
    "GET /containers/web/top": () => ({
      Titles: ["UID", "PID", "CMD"],
      Processes: [["root", "1", "sh -c sleep"]],
    }),
  };
}
