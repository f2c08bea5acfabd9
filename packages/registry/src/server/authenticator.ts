import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { Access, Caller, Wish } from "./access.ts";
import { serverFaults } from "./faults.ts";
import type { TokenIssuer } from "./token-issuer.ts";
import { callerOfToken, type TokenVerifier } from "./token-verifier.ts";

/** Where tokens come from, as clients are told. */
export interface TokenSource {
  /** Absent: the registry itself, under the name that the client has for it. */
  readonly realm?: string;
  readonly service: string;
  readonly verify: TokenVerifier;
  /** The registry makes them. */
  readonly issuer?: TokenIssuer;
}

/** Finds out who sends a request, and tells how to log in. */
export class Authenticator {
  readonly access: Access;
  readonly tokens: TokenSource | undefined;

  constructor(access: Access, tokens: TokenSource | undefined) {
    this.access = access;
    this.tokens = tokens;
  }

  /** Whether anyone can log in. */
  get hasUsers(): boolean {
    return this.access.hasUsers || this.tokens !== undefined;
  }

  /** @throws {Fault} `unauthenticated` for a wrong password or token */
  async authenticate(header: string | undefined): Promise<Caller> {
    if (header === undefined || header === "" || !this.hasUsers) return this.access.callerOf(undefined);
    const [, scheme = "", secret = ""] = /^(\w+) +([\w.+/=-]+)$/.exec(header) ?? [];
    if (scheme.toLowerCase() === "bearer" && this.tokens !== undefined) {
      const caller = callerOfToken(await this.tokens.verify(secret));
      // By our own tokens one sees what the rules show; what another's catalogue is good for, he says.
      if (this.tokens.issuer === undefined || !caller.mayList) return caller;
      return { ...caller, lists: this.access.callerOf(caller.user).lists };
    }
    if (scheme.toLowerCase() !== "basic" || !this.access.hasUsers) throw serverFaults.UNAUTHORIZED();
    const [, user = "", password = ""] =
      /^([^:]*):([^]*)$/.exec(Buffer.from(secret, "base64").toString()) ?? [];
    return await this.access.logIn(user, password);
  }

  /** @throws {Fault} `unauthenticated` when a login or another token could help, else `permission-denied` */
  require(caller: Caller, wish: Wish): void {
    const loginHelps = this.tokens !== undefined || (caller.user === undefined && this.access.hasUsers);
    this.access.require(caller, { ...wish, loginHelps });
  }

  /** `WWW-Authenticate` of a refusal; `undefined`: no login helps. */
  challengeTo(
    request: IncomingMessage,
    { caller, scope }: { readonly caller?: Caller; readonly scope?: string | undefined },
  ): string | undefined {
    if (!this.hasUsers) return undefined;
    if (this.tokens === undefined) return 'Basic realm="hawser-registry"';
    const { realm = ownRealm(request), service } = this.tokens;
    if (realm === undefined) return undefined;
    const hadToken = /^bearer /i.test(request.headers.authorization ?? "");
    const parameters = {
      realm,
      service,
      ...(scope !== undefined && { scope }),
      ...(hadToken && { error: caller === undefined ? "invalid_token" : "insufficient_scope" }),
    };
    const texts = Object.entries(parameters).map(([name, text]) => `${name}="${text}"`);
    return `Bearer ${texts.join(",")}`;
  }
}

/** By the name that the client has for this registry. */
function ownRealm({ headers, socket }: IncomingMessage): string | undefined {
  const over: Socket | null = socket; // none when the request is over
  const host = /^[\w.:[\]-]{1,300}$/.exec(headers.host ?? "")?.[0];
  if (over === null || host === undefined) return undefined;
  return `${"encrypted" in over ? "https" : "http"}://${host}/token`;
}
