import type { IncomingMessage, ServerResponse } from "node:http";
import type { Caller } from "./access.ts";
import type { Authenticator } from "./authenticator.ts";
import { readBody, sendJson } from "./call.ts";
import { serverFaults } from "./faults.ts";
import type { TokenIssuer } from "./token-issuer.ts";
import { parseScope } from "./token-verifier.ts";

const maxBodyBytes = 64 << 10;
const maxScopes = 100;

interface TokenRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
}

/**
 * Give a token: distribution, "Token Authentication Specification" (GET) and "OAuth2 Token Authentication" (POST). Whoever has not
 * logged in gets one for what is open to all.
 *
 * @returns who got it
 */
export async function giveToken(
  { authenticator, issuer }: { readonly authenticator: Authenticator; readonly issuer: TokenIssuer },
  { request, response, url }: TokenRequest,
): Promise<Caller> {
  const isPost = request.method === "POST";
  if (!isPost && request.method !== "GET") throw serverFaults.UNSUPPORTED(request.method ?? "");
  const fields = isPost ? new URLSearchParams(await readForm(request)) : url.searchParams;
  const caller = isPost
    ? await callerOfForm({ authenticator, issuer }, fields)
    : await authenticator.authenticate(request.headers.authorization);
  const texts = fields.getAll("scope").flatMap((text) => text.split(" "));
  const wanted = texts.slice(0, maxScopes).flatMap((text) => parseScope(text) ?? []);
  const { token, grants, lifeSeconds, issuedAt } = await issuer.issue(caller, wanted);
  const isOffline = isPost ? fields.get("access_type") === "offline" : fields.get("offline_token") === "true";
  const given = fields.get("refresh_token");
  const refresh =
    given ?? (isOffline && caller.user !== undefined ? await issuer.issueRefresh(caller.user) : undefined);
  response.setHeader("Cache-Control", "no-store");
  sendJson(response, 200, {
    token,
    access_token: token,
    expires_in: lifeSeconds,
    issued_at: issuedAt.toISOString(),
    scope: grants.map(({ type, name, actions }) => `${type}:${name}:${actions.join(",")}`).join(" "),
    ...(refresh !== undefined && { refresh_token: refresh }),
  });
  return caller;
}

async function callerOfForm(
  { authenticator, issuer }: { readonly authenticator: Authenticator; readonly issuer: TokenIssuer },
  fields: URLSearchParams,
): Promise<Caller> {
  switch (fields.get("grant_type")) {
    case "password":
      return await authenticator.access.logIn(fields.get("username") ?? "", fields.get("password") ?? "");
    case "refresh_token":
      return await issuer.callerOfRefresh(fields.get("refresh_token") ?? "");
    default:
      throw serverFaults.GRANT_INVALID();
  }
}

async function readForm(request: IncomingMessage): Promise<string> {
  const body = await readBody(request, { maxBytes: maxBodyBytes, tooLarge: serverFaults.FORM_TOO_LARGE });
  return body.toString();
}
