import { abortable } from "@hawser/base";
import { basicHeader } from "./basic-login.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { registryFaults } from "./faults.ts";
import { sendFollowed } from "./follow-redirects.ts";
import { isLoopback } from "./is-loopback.ts";
import { faultOfAnswer } from "./registry-error.ts";
import { readSmallBody, type TlsSettings, type Transport, type TransportRequest } from "./transport.ts";

/** Who asks. */
export interface Credentials {
  readonly username?: string;
  readonly password?: string;
  /** Stands for a person without a password; exchanged for tokens. */
  readonly identityToken?: string;
  /** A token as it is sent, made by somebody else. */
  readonly registryToken?: string;
}

/** What a token shall be good for. */
export interface Scope {
  readonly repository: string;
  readonly actions: "pull" | "pull,push";
}

/** Lets requests in at one host for one person. */
export interface Authorizer {
  /** The `Authorization` of a request; `undefined`: none is needed so far. @throws as `meet` */
  headerFor(scopes: readonly Scope[], signal?: AbortSignal): Promise<string | undefined>;
  /**
   * A request with that header was refused with these challenges: get what they want.
   *
   * @returns whether it is worth another try
   * @throws {Fault} `unauthenticated`, `permission-denied`; as the transport
   */
  meet(
    refusal: { readonly challenges: string; readonly sent: string | undefined; readonly what: string },
    scopes: readonly Scope[],
    signal?: AbortSignal,
  ): Promise<boolean>;
}

export interface AuthorizerOptions {
  readonly transport: Transport;
  readonly tls: TlsSettings;
  /** The registry itself is spoken to in the clear, so its tokens may be, too. */
  readonly isPlain: boolean;
  readonly credentials: Credentials | undefined;
  readonly now: () => number;
}

interface Token {
  readonly header: string;
  readonly expiresAtMs: number;
}

/** The specification's default; a token that says nothing lives as long. */
const defaultLifeSeconds = 60;
/** A token that ends so soon is not sent any more. */
const marginMs = 5_000;
const maxTokenBytes = 1 << 20;

/**
 * Basic and Bearer authorization as a registry asks for it. Tokens are kept by scope until they expire; several requests
 * that want the same token wait for one.
 */
export function createAuthorizer(options: AuthorizerOptions): Authorizer {
  const { credentials, now } = options;
  const tokens = new Map<string, Token>();
  const fetching = new Map<string, Promise<Token>>();
  let challenge: Challenge | undefined;

  const header = async (
    wanted: Challenge,
    scopes: readonly Scope[],
    signal?: AbortSignal,
  ): Promise<string> => {
    if (wanted.scheme === "basic")
      return basicHeader(credentials?.username ?? "", credentials?.password ?? "");
    if (credentials?.registryToken !== undefined) return `Bearer ${credentials.registryToken}`;
    const key = JSON.stringify([wanted.realm, wanted.service, scopeTexts(wanted, scopes)]);
    const kept = tokens.get(key);
    if (kept !== undefined && kept.expiresAtMs - marginMs > now()) return kept.header;
    let pending = fetching.get(key);
    if (pending === undefined) {
      pending = fetchToken(wanted, scopes, options).finally(() => fetching.delete(key));
      fetching.set(key, pending);
    }
    const token = await abortable(pending, signal);
    tokens.set(key, token);
    return token.header;
  };

  return {
    headerFor: async (scopes, signal) =>
      challenge === undefined ? undefined : await header(challenge, scopes, signal),
    async meet({ challenges, sent, what }, scopes, signal) {
      const found = parseChallenges(challenges);
      const wanted = found.find(({ scheme }) => scheme === "bearer") ?? found[0];
      if (wanted === undefined) return false;
      if (wanted.scheme === "basic" && !hasPassword(credentials)) throw registryFaults.NO_CREDENTIALS(what);
      challenge = wanted;
      // What was sent is worth nothing, whatever life it was said to have.
      for (const [key, token] of tokens) if (token.header === sent) tokens.delete(key);
      return (await header(wanted, scopes, signal)) !== sent;
    },
  };
}

function hasPassword(credentials: Credentials | undefined): boolean {
  return credentials?.username !== undefined && credentials.username !== "";
}

/** What is asked for beside what the registry named itself; sorted, so that the same wish has one token. */
function scopeTexts(
  challenge: Extract<Challenge, { scheme: "bearer" }>,
  scopes: readonly Scope[],
): readonly string[] {
  const own = scopes.map(({ repository, actions }) => `repository:${repository}:${actions}`);
  const named = challenge.scope.split(" ").filter((text) => text !== "" && text.length < 1000);
  return [...new Set(own.length > 0 ? own : named)].toSorted();
}

/**
 * distribution, "Token Authentication Specification" and "OAuth2 Token Authentication".
 *
 * @param options.offline also wants a token that stands for the person: `refreshToken`
 */
export async function requestToken(
  challenge: Extract<Challenge, { scheme: "bearer" }>,
  scopes: readonly string[],
  options: AuthorizerOptions & { readonly offline?: boolean; readonly signal?: AbortSignal },
): Promise<{ readonly token: string; readonly lifeSeconds: number; readonly refreshToken?: string }> {
  const { credentials, transport, tls, signal } = options;
  const realm = parseRealm(challenge.realm);
  const secret = hasPassword(credentials) || credentials?.identityToken !== undefined;
  if (secret && realm.protocol === "http:" && !options.isPlain && !isLoopback(realm.hostname)) {
    throw registryFaults.CREDENTIALS_IN_CLEAR(realm.origin);
  }
  const request: TransportRequest =
    credentials?.identityToken === undefined
      ? passwordRequest(realm, challenge, { scopes, credentials, offline: options.offline === true })
      : refreshRequest(realm, challenge, { scopes, identityToken: credentials.identityToken });
  const response = await sendFollowed(transport, { ...request, tls, ...(signal && { signal }) }, onward);
  const { what } = response;
  const body = (await readSmallBody(response, { what, maxBytes: maxTokenBytes, signal })).toString("utf8");
  if (response.status !== 200) throw faultOfAnswer({ what, status: response.status, body });
  return readToken(what, body);
}

/** What is secret goes only to the same service, or from there to its encryption. */
function onward(next: URL, request: TransportRequest): TransportRequest {
  const { url } = request;
  const isSame = next.origin === url.origin || (next.protocol === "https:" && next.hostname === url.hostname);
  const { headers: _secret, tls: _trust, ...open } = request;
  return isSame ? { ...request, url: next } : { ...open, url: next };
}

async function fetchToken(
  challenge: Extract<Challenge, { scheme: "bearer" }>,
  scopes: readonly Scope[],
  options: AuthorizerOptions,
): Promise<Token> {
  const { token, lifeSeconds } = await requestToken(challenge, scopeTexts(challenge, scopes), options);
  return { header: `Bearer ${token}`, expiresAtMs: options.now() + lifeSeconds * 1000 };
}

function parseRealm(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw registryFaults.ANSWER_INVALID("Cannot log in", `the registry's realm is "${text.slice(0, 200)}"`);
  }
  return url;
}

const clientId = "hawser";

function passwordRequest(
  realm: URL,
  challenge: Extract<Challenge, { scheme: "bearer" }>,
  options: {
    readonly scopes: readonly string[];
    readonly credentials: Credentials | undefined;
    readonly offline: boolean;
  },
): TransportRequest {
  const url = new URL(realm);
  if (challenge.service !== "") url.searchParams.set("service", challenge.service);
  for (const scope of options.scopes) url.searchParams.append("scope", scope);
  if (options.offline) {
    url.searchParams.set("offline_token", "true");
    url.searchParams.set("client_id", clientId);
  }
  const { credentials } = options;
  if (!hasPassword(credentials)) return { method: "GET", url };
  url.searchParams.set("account", credentials?.username ?? "");
  return {
    method: "GET",
    url,
    headers: { authorization: basicHeader(credentials?.username ?? "", credentials?.password ?? "") },
  };
}

function refreshRequest(
  url: URL,
  challenge: Extract<Challenge, { scheme: "bearer" }>,
  options: { readonly scopes: readonly string[]; readonly identityToken: string },
): TransportRequest {
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    service: challenge.service,
    client_id: clientId,
    refresh_token: options.identityToken,
    scope: options.scopes.join(" "),
  });
  const body = Buffer.from(form.toString());
  return {
    method: "POST",
    url,
    headers: { "content-type": "application/x-www-form-urlencoded" },
    content: {
      sizeBytes: body.length,
      async *open() {
        yield body;
      },
    },
  };
}

function readToken(what: string, body: string) {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw registryFaults.ANSWER_INVALID(what, "the token service's answer is not JSON").because(error);
  }
  const fields = new Map<string, unknown>(
    typeof value === "object" && value !== null ? Object.entries(value) : [],
  );
  const token = fields.get("token") || fields.get("access_token");
  if (typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
    throw registryFaults.ANSWER_INVALID(what, "the token service gave no token");
  }
  const life = Number(fields.get("expires_in"));
  const refreshToken = fields.get("refresh_token");
  return {
    token,
    lifeSeconds: Number.isFinite(life) && life > defaultLifeSeconds ? life : defaultLifeSeconds,
    ...(typeof refreshToken === "string" && refreshToken !== "" && { refreshToken }),
  };
}
