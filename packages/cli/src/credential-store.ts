import { abortable, Fault, runProgram } from "@hawser/base";
import { cliFaults } from "./faults.ts";
import { type Session, warnLine } from "./session.ts";
import { readSettings, type Settings, tableOf, writeSettings } from "./settings-file.ts";

/** Who the user is at a registry, in the names of Docker's API. */
export interface RegistryCredentials {
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** The name of Docker Hub in everything that keeps credentials. */
const dockerHubKey = "https://index.docker.io/v1/";

export function registryKey(domain: string): string {
  return domain === "docker.io" ? dockerHubKey : domain;
}

/**
 * Who the user is at a registry: from the helper of that registry (`credHelpers`), the helper of all (`credsStore`), else
 * `auths` of the settings themselves. `undefined` when nobody said. As with Docker's CLI the user is nobody where a helper is not
 * installed or fails: what is open to all can be had. He is told.
 */
export async function findCredentials(
  session: Session,
  domain: string,
): Promise<RegistryCredentials | undefined> {
  const settings = readSettings(session);
  const helper = helperOf(settings, domain);
  if (helper !== undefined) return await askHelper(session, helper, domain);
  const auths = tableOf(settings["auths"]);
  const key = registryKey(domain);
  const host = hostOf(key);
  const found = auths[key] ?? Object.entries(auths).find(([name]) => hostOf(name) === host)?.[1];
  return found === undefined ? undefined : readEntry(tableOf(found));
}

/** Keep who the user is. Returns the path of the file when the password is in it, unencrypted. */
export async function storeCredentials(
  session: Session,
  domain: string,
  credentials: RegistryCredentials,
): Promise<string | undefined> {
  const settings = readSettings(session);
  const key = registryKey(domain);
  const { username = "", password = "", identitytoken = "" } = credentials;
  const helper = helperOf(settings, domain);
  if (helper !== undefined) {
    const entry =
      identitytoken === ""
        ? { ServerURL: key, Username: username, Secret: password }
        : { ServerURL: key, Username: "<token>", Secret: identitytoken };
    await runHelper(session, helper, { verb: "store", input: JSON.stringify(entry) });
    // Docker keeps an empty entry, so that it knows where the user is somebody.
    await writeSettings(session, withEntry(settings, key, {}));
    return undefined;
  }
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  const entry = { auth, ...(identitytoken !== "" && { identitytoken }) };
  return await writeSettings(session, withEntry(settings, key, entry));
}

/** Forget who the user is. False: nothing was known. Of a helper that fails the user is told, as by Docker's CLI. */
export async function eraseCredentials(session: Session, domain: string): Promise<boolean> {
  const settings = readSettings(session);
  const key = registryKey(domain);
  const auths = tableOf(settings["auths"]);
  const keys = Object.keys(auths).filter((name) => name === key || hostOf(name) === hostOf(key));
  const helper = helperOf(settings, domain);
  const known =
    keys.length > 0 || (helper !== undefined && (await askHelper(session, helper, domain)) !== undefined);
  if (!known) return false;
  if (helper !== undefined) {
    await runHelper(session, helper, { verb: "erase", input: key }).catch(async (error: unknown) => {
      if (Fault.is(error, "canceled")) throw error;
      await warnLine(session, `WARNING: could not erase credentials:\n${key}: ${Fault.from(error).message}`);
    });
  }
  const others = Object.fromEntries(Object.entries(auths).filter(([name]) => !keys.includes(name)));
  await writeSettings(session, { ...settings, auths: others });
  return true;
}

function withEntry(settings: Settings, key: string, entry: object): Settings {
  return { ...settings, auths: { ...tableOf(settings["auths"]), [key]: entry } };
}

function readEntry(entry: Settings): RegistryCredentials | undefined {
  const text = (name: string) => (typeof entry[name] === "string" ? entry[name] : "");
  const [username, ...rest] = Buffer.from(text("auth"), "base64").toString("utf8").split(":");
  const found = {
    username: username || text("username"),
    password: rest.join(":").replace(/\0+$/, "") || text("password"),
    identitytoken: text("identitytoken"),
    registrytoken: text("registrytoken"),
  };
  const filled = Object.fromEntries(Object.entries(found).filter(([, value]) => value !== ""));
  return Object.keys(filled).length === 0 ? undefined : filled;
}

function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, "").split("/", 1)[0] ?? "";
}

function helperOf(settings: Settings, domain: string): string | undefined {
  const own = tableOf(settings["credHelpers"])[registryKey(domain)];
  const name = typeof own === "string" ? own : settings["credsStore"];
  return typeof name === "string" && name !== "" ? name : undefined;
}

/** `docker-credential-<name> get`. What it does not have is nobody. */
async function askHelper(
  session: Session,
  helper: string,
  domain: string,
): Promise<RegistryCredentials | undefined> {
  try {
    const text = await runHelper(session, helper, { verb: "get", input: registryKey(domain) });
    return text === undefined ? undefined : parseAnswer(helper, text);
  } catch (error) {
    if (Fault.is(error, "canceled")) throw error;
    await warnLine(session, `WARNING: ${domain} is asked without a login: ${Fault.from(error).message}`);
    return undefined;
  }
}

function parseAnswer(helper: string, text: string): RegistryCredentials | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw cliFaults.CREDENTIAL_HELPER(helper, "its answer is not JSON").because(error);
  }
  const { Username: username, Secret: secret } = tableOf(value);
  if (typeof username !== "string" || typeof secret !== "string") return undefined;
  return username === "<token>" ? { identitytoken: secret } : { username, password: secret };
}

async function runHelper(
  session: Session,
  helper: string,
  { verb, input }: { readonly verb: "get" | "store" | "erase"; readonly input: string },
): Promise<string | undefined> {
  if (!/^[A-Za-z0-9._-]+$/.test(helper))
    throw cliFaults.CREDENTIAL_HELPER(helper, "it is no name of a program");
  const left = new AbortController();
  // The client may live on after a command: then what that waits for is its own to end.
  using _signals = session.onSignal(["SIGINT", "SIGTERM"], () => left.abort(cliFaults.PROMPT_LEFT()));
  const { signal } = left;
  const running = runProgram([`docker-credential-${helper}`, verb], {
    input,
    env: session.environment,
    signal,
  });
  const { exitCode, stdout, stderr } = await abortable(running, signal);
  if (exitCode === 0) return stdout;
  const words = (stdout || stderr).trim();
  if (/credentials not found/i.test(words)) return undefined;
  throw cliFaults.CREDENTIAL_HELPER(helper, words);
}
