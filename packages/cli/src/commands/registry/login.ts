import { Fault } from "@hawser/base";
import { defineCommand, type Invocation } from "../../command.ts";
import {
  findCredentials,
  type RegistryCredentials,
  registryKey,
  storeCredentials,
} from "../../credential-store.ts";
import { cliFaults } from "../../faults.ts";
import { boolFlag, stringFlag } from "../../flags/flag-kinds.ts";
import { promptLine, promptSecret, readAll } from "../../prompt.ts";
import { printLine, type Session, warnLine } from "../../session.ts";
import { registryOf } from "./registry-name.ts";

const flags = {
  password: stringFlag("Password or Personal Access Token (PAT)", { short: "p" }),
  "password-stdin": boolFlag("Take the Password or Personal Access Token (PAT) from stdin"),
  username: stringFlag("Username", { short: "u" }),
} as const;

export const command = defineCommand({
  usage: "[OPTIONS] [SERVER]",
  description: "Authenticate to a registry.\nDefaults to Docker Hub if no server is specified.",
  flags,
  arguments: { min: 0, max: 1 },
  async run(invocation) {
    const { args, flags: given, session } = invocation;
    const domain = registryOf(args[0] ?? "");
    if (given.username === "" && given.password === "" && !given["password-stdin"]) {
      if (await loginAgain(session, domain)) return 0;
    }
    const credentials = await askCredentials(invocation, domain);
    const path = await login(session, domain, credentials);
    if (path !== undefined) {
      await warnLine(
        session,
        `WARNING! Your credentials are stored unencrypted in '${path}'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n`,
      );
    }
    await printLine(session, "Login Succeeded");
    return 0;
  },
});

/** With what is kept already. False: there is nothing, or it is not good any more. */
async function loginAgain(session: Session, domain: string): Promise<boolean> {
  const known = await findCredentials(session, domain);
  if (known === undefined) return false;
  await warnLine(session, "Authenticating with existing credentials...");
  try {
    await login(session, domain, known);
  } catch (error) {
    if (!Fault.is(error, "unauthenticated")) throw error;
    await warnLine(session, `Login did not succeed, error: ${error.message}`);
    return false;
  }
  await printLine(session, "Login Succeeded");
  return true;
}

async function askCredentials(
  { flags: given, session }: Invocation<typeof flags>,
  domain: string,
): Promise<RegistryCredentials> {
  let { username, password } = given;
  if (given["password-stdin"]) {
    if (password !== "")
      throw cliFaults.OPTIONS_CONFLICT("--password and --password-stdin are mutually exclusive");
    if (username === "") throw cliFaults.OPTIONS_CONFLICT("Must provide --username with --password-stdin");
    password = await readAll(session);
  } else if (password !== "") {
    await warnLine(session, "WARNING! Using --password via the CLI is insecure. Use --password-stdin.");
  }
  if ((username === "" || password === "") && !session.stdin.isTTY) {
    throw cliFaults.NOT_A_TERMINAL("Cannot perform an interactive login from a non TTY device");
  }
  if (username === "") {
    if (domain === "docker.io")
      await printLine(session, "Log in with your Docker ID to push and pull images from Docker Hub.");
    username = (await promptLine(session, "Username: ")).trim();
    if (username === "") throw cliFaults.VALUE_INVALID("username is required");
  }
  if (password === "") password = await promptSecret(session, "Password: ");
  if (password === "") throw cliFaults.VALUE_INVALID("password is required");
  return { username, password };
}

/** Ask the registry, through the engine, and keep what it accepts. Returns the file that a password is in, unencrypted. */
async function login(
  session: Session,
  domain: string,
  credentials: RegistryCredentials,
): Promise<string | undefined> {
  const client = await session.connect();
  const { IdentityToken: identitytoken = "" } = await client.json<{ readonly IdentityToken?: string }>({
    method: "POST",
    path: "/auth",
    json: { ...credentials, serveraddress: registryKey(domain) },
  });
  const { password: _password, ...person } = credentials;
  const kept = identitytoken === "" ? credentials : { ...person, identitytoken };
  return await storeCredentials(session, domain, kept);
}
