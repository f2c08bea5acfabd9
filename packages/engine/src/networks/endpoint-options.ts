import { runProgramOk } from "@hawser/base";

/** Driver options of a container's part in a network, as libnetwork's `netlabel` names them. */
const nameOption = "com.docker.network.endpoint.ifname";
const sysctlsOption = "com.docker.network.endpoint.sysctls";

/** Settings of the kernel for one interface; Docker's CLI of some versions gives the word in small letters. */
const sysctlForm = /^net\.(ipv4|ipv6|mpls)\.([a-z\d_]+)\.IFNAME\.([a-z\d_]+)=([\w.:-]*(?: [\w.:-]+)*)$/i;

/** What is wrong with these options; `undefined` when nothing is. Options of other drivers are not looked at. */
export function findEndpointOptionProblem(options: Readonly<Record<string, string>>): string | undefined {
  const name = options[nameOption] ?? "";
  if (name !== "" && !/^[A-Za-z\d_][\w.-]{0,14}$/.test(name)) {
    return `invalid interface name ${JSON.stringify(name)}: up to 15 letters, digits, "_", "." or "-" were wanted`;
  }
  const wrong = sysctlsOf(options).find((text) => !sysctlForm.test(text));
  if (wrong === undefined) return undefined;
  return `unrecognised network interface sysctl '${wrong}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`;
}

/** The name that a container's interface is to have; `undefined`: any. */
export function wantedInterfaceName(options: Readonly<Record<string, string>>): string | undefined {
  return options[nameOption] || undefined;
}

/**
 * Give an interface the kernel's settings that were asked for. They are those of the namespace that a process is in, so one is
 * started in it; only for containers that ask.
 *
 * @throws {Fault} `internal` with the shell's words for one that the kernel does not have.
 */
export async function applySysctls(
  options: Readonly<Record<string, string>>,
  { namespaceFd, name }: { readonly namespaceFd: number; readonly name: string },
): Promise<void> {
  const settings = sysctlsOf(options).map((text) => {
    const [, family = "", group = "", setting = "", value = ""] = sysctlForm.exec(text) ?? [];
    const folder = `/proc/sys/net/${family}/${group}`.toLowerCase();
    return [`${folder}/${name}/${setting.toLowerCase()}`, value] as const;
  });
  if (settings.length === 0) return;
  const script = 'set -e; while [ $# -gt 0 ]; do printf %s "$2" >"$1"; shift 2; done';
  await runProgramOk([
    "nsenter",
    `--net=/proc/${process.pid}/fd/${namespaceFd}`,
    "sh",
    "-c",
    script,
    "sh",
    ...settings.flat(),
  ]);
}

function sysctlsOf(options: Readonly<Record<string, string>>): readonly string[] {
  return (options[sysctlsOption] ?? "").split(",").filter((text) => text !== "");
}
