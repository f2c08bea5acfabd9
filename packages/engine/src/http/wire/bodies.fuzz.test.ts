import { fuzz, orRefused } from "@hawser/base/testing/fuzz";
import { checkConfig, readHostFacts } from "@hawser/runtime";
import fc from "fast-check";
import { checkPorts } from "../../networks/container-ports.ts";
import { encodeContainerConfig } from "./container-config.ts";
import { decodeCreateRequest } from "./create-request.ts";
import { decodeExecCreate, decodeExecStart } from "./exec-request.ts";
import { encodeHostConfig } from "./host-config.ts";
import { decodeConnectRequest, decodeNetworkRequest } from "./network.ts";
import { decodeUpdateRequest } from "./update-request.ts";
import { decodeVolumeRequest } from "./volume.ts";

/** Names that bodies have, so that values of every type come to every field. */
const names =
  "Image Cmd Entrypoint Env Labels User WorkingDir Tty OpenStdin ExposedPorts Volumes Healthcheck Test Interval Retries StopSignal StopTimeout HostConfig Binds Mounts Type Source Target ReadOnly TmpfsOptions SizeBytes BindOptions Propagation VolumeOptions PortBindings HostPort HostIp RestartPolicy Name MaximumRetryCount NetworkMode IpcMode PidMode UTSMode CgroupnsMode Memory MemorySwap NanoCpus CpuShares CpusetCpus PidsLimit BlkioWeight Ulimits Soft Hard Sysctls CapAdd CapDrop SecurityOpt LogConfig Config Tmpfs Devices PathOnHost DeviceCgroupRules ExtraHosts Dns Links Init ShmSize Annotations StorageOpt ConsoleSize NetworkingConfig EndpointsConfig IPAMConfig IPv4Address Aliases MacAddress DriverOpts Driver IPAM Subnet Gateway IPRange Options Internal Container EndpointConfig Detach DetachKeys __proto__ constructor".split(
    " ",
  );

const words = fc.constantFrom(
  "",
  "/",
  "/a",
  "a",
  "a:b",
  "/a:/b:ro",
  "host",
  "container:x",
  "80/tcp",
  "8080-8090:80",
  "10.0.0.0/8",
  "nope",
  "bind",
  "volume",
  "tmpfs",
  "json-file",
  "max-size",
  "CMD",
  "seccomp=unconfined",
  "NET_ADMIN",
  "ctrl-p,ctrl-q",
  "\0",
  "é",
);

const body = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    words,
    fc.constantFrom(null, true, false, 0, -1, 1, 6 << 20, 1.5, 1e30, Number.MAX_SAFE_INTEGER),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.array(fc.tuple(fc.constantFrom(...names), tie("value")), { maxLength: 8 }).map(toObject),
  ),
})).value;

/** As `JSON.parse` makes it: `__proto__` is a key like any other. */
function toObject(entries: readonly (readonly [string, unknown])[]): unknown {
  return JSON.parse(
    `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join(",")}}`,
  );
}

const refused = ["invalid-argument"] as const;
const facts = await readHostFacts();

fuzz("any body of a create is understood or refused, by its form or by what it asks", body, (value) => {
  orRefused(refused, () => {
    const { config, hostConfig } = decodeCreateRequest(value, "");
    checkConfig({ config, hostConfig }, facts);
  });
});

/** A body that is right, but for a few fields, which have other values of their own type. */
const empty = decodeCreateRequest({}, "");
const right: Readonly<Record<string, unknown>> = {
  ...encodeContainerConfig(empty.config),
  Image: "busybox",
};
const rightHost: Readonly<Record<string, unknown>> = { ...encodeHostConfig(empty.hostConfig) };
const valueLike = (value: unknown): fc.Arbitrary<unknown> => {
  if (typeof value === "number") return fc.oneof(fc.integer({ min: -2, max: 2000 }), fc.maxSafeInteger());
  if (typeof value === "boolean") return fc.boolean();
  if (typeof value === "string") return fc.oneof(words, fc.string({ maxLength: 8 }));
  if (value !== null && typeof value === "object" && !Array.isArray(value))
    return fc.dictionary(fc.oneof(words, fc.constantFrom(...names)), fc.oneof(words, fc.constant({})), {
      maxKeys: 3,
    });
  return fc.array(fc.oneof(words, fc.string({ maxLength: 12 })), { maxLength: 3 });
};
const changed = (base: Readonly<Record<string, unknown>>) =>
  fc
    .array(
      fc
        .constantFrom(...Object.keys(base))
        .chain((name) => fc.tuple(fc.constant(name), valueLike(base[name]))),
      { maxLength: 4 },
    )
    .map((changes) => ({ ...base, ...Object.fromEntries(changes) }));

fuzz(
  "a body of a create that is nearly right, likewise",
  fc.tuple(changed(right), changed(rightHost)),
  ([config, host]) => {
    orRefused(refused, () => {
      const body = decodeCreateRequest({ ...config, HostConfig: host }, "");
      checkConfig(body, facts);
      checkPorts(body.config, body.hostConfig);
    });
  },
);

fuzz("any other body is understood or refused", body, (value) => {
  for (const decode of [
    decodeExecCreate,
    decodeExecStart,
    decodeNetworkRequest,
    decodeConnectRequest,
    decodeUpdateRequest,
    decodeVolumeRequest,
  ]) {
    orRefused(refused, () => void decode(value, ""));
  }
});

fuzz("nothing sticks to what all objects share", body, (value) => {
  orRefused(refused, () => void decodeCreateRequest(value, ""));
  if (Object.keys(Object.prototype).length > 0) throw new Error("Object.prototype has something");
});
