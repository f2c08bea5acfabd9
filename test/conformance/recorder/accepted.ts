import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compileGlob, judgeDifferences } from "@hawser/base/testing";
import { root } from "../../../tools/tree.ts";
import type { Difference } from "./compare.ts";

/** A difference from dockerd that is meant, or that waits to be mended. */
export interface Accepted {
  /** Call's name and field; `*` stands for anything. */
  readonly call: string;
  readonly path: string;
  /** What they say there; absent: whatever. */
  readonly docker?: unknown;
  readonly hawser?: unknown;
  readonly reason: string;
  /** The call is one call, to the letter. */
  readonly exact?: boolean;
}

const words = "the same refusal in words of our own, which name the field";
const early = "it could never start: refused when it is created, not when it is started";
const callers = "500 at dockerd; the fault is the caller's, which 400 says";
const chainless = "no chain of images, as in containerd's store, which Docker has by default from 29 on";
const http =
  "own HTTP code, stricter where two readers could understand two things; its errors are JSON, too";

/** Calls whose refusal has other words than dockerd's, one a line. Clients match on some texts: none may join them unseen. */
export const otherWordsPath = join(root, "test/conformance/recorder/testdata/other-words.txt");

const otherWords = readFileSync(otherWordsPath, "utf8")
  .split("\n")
  .filter((line) => line !== "");

/** The list only shrinks: what is on it and does not occur fails the test as well. The first entry that fits counts. */
export const accepted: readonly Accepted[] = [
  // what an engine of another make says of itself
  {
    call: "system: GET */info",
    path: "body.*",
    reason: "facts of containerd, runc, the bridge module and swarm, which Hawser does without",
  },
  { call: "*", path: "body.HostConfig.Runtime", reason: "crun is Hawser's default runtime" },
  {
    call: "*",
    path: "body.GraphDriver.Data.MergedDir",
    reason: "a root is mounted where only its container and its monitor see it",
  },
  {
    call: "*GET */images/*",
    path: "body.GraphDriver.Data",
    reason: "an image is not mounted: it has layers, no folder",
  },
  { call: "*", path: "body.DockerVersion", reason: "no Docker made it" },
  {
    call: "states: GET *stats*",
    path: "body.*",
    reason: "what cgroups tell, and names for old clients, too",
  },

  // headers that more answers have
  { call: "*", path: "headers.docker-experimental", hawser: "false", reason: "every answer has it" },
  { call: "*", path: "headers.api-version", hawser: "1.51", reason: "every answer has it" },
  { call: "*", path: "headers.ostype", hawser: "linux", reason: "every answer has it" },

  // requests that are none
  { call: "requests that are none: *", path: "*", reason: http },
  { call: "paths and versions: GET /containers/%zz/json", path: "*", reason: http },
  { call: "paths and versions: GET /containers/a%00b/json", path: "*", reason: http },

  // statuses
  {
    call: "auth: POST /auth",
    path: "status",
    docker: 500,
    hawser: 503,
    reason: "no body is no user: asks the registry, which is away",
  },
  { call: "*", path: "status", docker: 500, hawser: 400, reason: callers },
  { call: "create, the body: * (ExposedPorts *)", path: "*", reason: early },
  { call: 'create, the body: * (StopSignal "99")', path: "*", reason: early },
  { call: 'create, the body: * (Image "")', path: "*", reason: early },
  {
    call: 'create, the host\'s part: * ({"BlkioWeight":*)',
    path: "*",
    reason: `${early}; checked on hosts without it, too`,
  },
  { call: 'update: * ({"BlkioWeight":5})', path: "*", reason: "refused on hosts without block weights, too" },
  { call: 'create, the host\'s part: * ({"NetworkMode":"container:nope"})', path: "*", reason: early },
  { call: 'create, the host\'s part: * ({"PortBindings":*)', path: "*", reason: early },
  { call: 'create, the host\'s part: * ({"Tmpfs":{"/a":"nope"}})', path: "*", reason: early },
  { call: 'create, the host\'s part: * ({"DeviceCgroupRules":*)', path: "*", reason: early },
  { call: 'create, the host\'s part: * ({"Ulimits":*)', path: "*", reason: early },
  { call: 'create, the host\'s part: * ({"Sysctls":*)', path: "*", reason: early },
  {
    call: "events: GET /events?since=1&until=2&filters=*nope*",
    path: "*",
    reason: "dockerd ignores filters that it does not know; every other list refuses them",
  },
  {
    call: "images: POST /images/busybox/tag",
    path: "*",
    docker: 200,
    reason: "dockerd tags nothing and says that all is well",
  },
  { call: "images: POST /images/busybox/tag", path: "*", reason: "as above" },
  {
    call: "exec: POST /exec/{first}/start (again)",
    path: "*",
    reason: "dockerd answers 200 and says in the stream that it has run",
  },
  {
    call: "volumes: PUT /volumes/one?version=1",
    path: "*",
    reason: "volumes of swarm clusters are not known here",
  },
  {
    call: "builds: POST /build?*",
    path: "*",
    reason: "the classic builder's checks in another order and in our words",
  },
  { call: "builds: POST /build (no archive)", path: "body.message", reason: words },
  { call: "builds: POST /build/prune?filters=nonsense", path: "body.message", reason: words },
  {
    call: "swarm: POST /swarm/leave",
    path: "body.message",
    reason: "one text for all that needs a swarm",
  },

  // words
  ...otherWords.map((call) => ({ call, path: "body.message", reason: words, exact: true })),
  { call: "*images: POST /images/load*", path: "body.error*", reason: words },
  {
    call: "inspect: GET /containers/failing/json",
    path: "body.State.Error",
    reason: "crun's words in place of runc's",
  },
  {
    call: "exec: POST /exec/{fourth}/start (not there)",
    path: "body.stream 1",
    reason: "crun's words in place of runc's",
  },
  {
    call: "* POST /containers/*/attach*",
    path: "*",
    reason: "a refused attach is answered as any other request, not with text in a stream",
  },
  {
    call: "exec in full: POST /exec/*",
    path: "body.stream 1",
    reason: "the runtime's words end as containerd 1 had them end",
  },
  {
    call: 'exec in full: GET /exec/* ({"Cmd":["sh","-c","pwd"],*"WorkingDir":"relative"})',
    path: "body.ExitCode",
    reason: "refused before the runtime is asked",
  },
  {
    call: 'exec in full: GET /exec/* ({"Cmd":[""],*',
    path: "body.ExitCode",
    reason: "crun says of a program without a name that it may not be run",
  },
  {
    call: 'exec in full: POST /containers/one/exec ({"Cmd":["true"],"ConsoleSize":[1]})',
    path: "*",
    reason: "a size is two numbers",
  },
  {
    call: "exec in full: POST /exec/{tty}/resize?h=20&w=30 (before)",
    path: "*",
    reason: "dockerd waits some seconds for a start, then gives up",
  },
  { call: "exec in full: GET /containers/one/json*", path: "body.ExecIDs.*", reason: "in no order" },
  {
    call: 'update in full: POST /containers/one/update ({"CpuShares":1})',
    path: "*",
    reason: "runc refuses it; crun takes what the kernel takes",
  },
  {
    call: "update in full: GET /containers/one/json*",
    path: "body.HostConfig.CpuShares",
    reason: "as above",
  },
  {
    call: "update in full: GET *",
    path: "body.HostConfig.PidsLimit",
    docker: 0,
    hawser: -1,
    reason: "no limit, as it was asked for",
  },
  {
    call: 'update in full: POST * ({"MemorySwap":1})',
    path: "*",
    reason: "refused whether the container runs or not",
  },
  {
    call: "files in full: PUT /containers/one/archive?path=/dev/null*",
    path: "*",
    reason: "it is there, and is no folder",
  },
  {
    call: "files in full: PUT * (through a link out)",
    path: "*",
    reason: "a link leads to where it does inside the container",
  },
  {
    call: "files in full: PUT /containers/read/archive?path=/etc",
    path: "status",
    docker: 400,
    hawser: 403,
    reason: "the API's description says 403",
  },

  {
    call: "what contradicts itself: GET /containers/device*/json",
    path: "body.LogPath",
    reason: "known as soon as a start was tried",
  },

  // content
  {
    call: "files: GET /containers/one/archive?path=../../etc",
    path: "body.*",
    reason: "dockerd lists the link mtab that it puts in while a container runs",
  },
  {
    call: "files in full: HEAD /containers/one/archive?path=/tmp/h",
    path: "headers.x-docker-container-path-stat.mode",
    reason: "dockerd gives a file the mode of its second name's header",
  },
  {
    call: "files in full: GET /containers/one/changes",
    path: "body.*.Kind",
    docker: 0,
    hawser: 1,
    reason: "the image has no such folder; dockerd has put it in",
  },
  {
    call: "archives of images: GET */images/*:1/json*",
    path: "body.Metadata.LastTagTime",
    reason: "a load is when it got its name",
  },
  {
    call: "archives of images: POST /images/load (no images)",
    path: "body",
    reason: "an answer of nothing has no body",
  },
  {
    call: "what cannot be while it is paused: GET /containers/other/json (killed)",
    path: "body.NetworkSettings.Networks.bridge.DNSNames",
    reason: "it has ended: nobody is found by these names",
  },
  {
    call: "images: GET /images/get",
    path: "body*",
    reason: "an archive of no images has the files of one that has some",
  },
  {
    call: "*: GET /images/*",
    path: "body.Parent",
    reason: chainless,
  },
  {
    call: "archives of images: GET /images/json*",
    path: "body.*.ParentId",
    reason: chainless,
  },
  {
    call: "*: GET /images/*/history",
    path: "body.1.*",
    reason: chainless,
  },
  {
    call: "*: GET /containers/*/json",
    path: "body.NetworkSettings.Networks.bridge.NetworkID",
    docker: "",
    reason: "known from the first start on, whatever becomes of it",
  },
];

/** Differences that nobody accepted, and entries of the list that nothing needs. */
export function judge(differences: readonly Difference[], list: readonly Accepted[] = accepted) {
  const matchers = list.map((entry) => ({
    entry,
    call: entry.exact === true ? new RegExp(`^${RegExp.escape(entry.call)}$`) : compileGlob(entry.call),
    path: compileGlob(entry.path),
  }));
  const { unexplained, unneeded } = judgeDifferences(
    differences,
    matchers,
    ({ entry, call, path }, difference) =>
      call.test(difference.call) &&
      path.test(difference.path) &&
      fits(entry, "docker", difference.docker) &&
      fits(entry, "hawser", difference.hawser),
  );
  return { unexplained, unneeded: unneeded.map(({ entry }) => entry) };
}

function fits(entry: Accepted, side: "docker" | "hawser", value: unknown): boolean {
  return !(side in entry) || JSON.stringify(entry[side]) === JSON.stringify(value);
}
