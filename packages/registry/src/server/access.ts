import { timingSafeEqual } from "node:crypto";
import bcrypt from "bcryptjs";
import { serverFaults } from "./faults.ts";

export type Action = "pull" | "push" | "delete";

/** Who may do what. The first rule that speaks of user and repository decides. */
export interface AccessRule {
  /** A user's name; `*`: everyone who has logged in; `anonymous`: whoever has not. */
  readonly user: string;
  /** A name; `team/*`: all below; `*`: all. */
  readonly repository: string;
  readonly actions: readonly Action[];
}

export interface AccessOptions {
  /** The lines of an htpasswd file, bcrypt. Absent: nobody needs to log in, and rules speak of `anonymous` only. */
  readonly users?: string;
  /** Absent: users may do everything; others, with `anonymousPull`, pull. */
  readonly rules?: readonly AccessRule[];
  readonly anonymousPull?: boolean;
  readonly readOnly?: boolean;
}

/** Users and what they may do. */
export class Access {
  readonly #hashes: ReadonlyMap<string, string> | undefined;
  readonly #rules: readonly AccessRule[];
  readonly #readOnly: boolean;
  /** Passwords that were right, as they were sent: bcrypt takes tens of milliseconds, requests come in hundreds. */
  readonly #known = new Map<string, { readonly user: string; readonly password: Buffer }>();

  /** @throws {Fault} `invalid-argument` for lines that are none */
  constructor(options: AccessOptions = {}) {
    this.#hashes = options.users === undefined ? undefined : parseUsers(options.users);
    this.#readOnly = options.readOnly === true;
    this.#rules = options.rules ?? [
      { user: "*", repository: "*", actions: ["pull", "push", "delete"] },
      ...(options.anonymousPull === true || this.#hashes === undefined
        ? [
            {
              user: "anonymous",
              repository: "*",
              actions: this.#hashes === undefined ? allActions : (["pull"] as const),
            },
          ]
        : []),
    ];
  }

  /** Whether anyone can log in. */
  get hasUsers(): boolean {
    return this.#hashes !== undefined;
  }

  /**
   * The user of an `Authorization` header; `undefined`: nobody has logged in.
   *
   * @throws {Fault} `unauthenticated` for a wrong password
   */
  async authenticate(header: string | undefined): Promise<string | undefined> {
    if (header === undefined || header === "" || this.#hashes === undefined) return undefined;
    const [, encoded] = /^basic ([a-z0-9+/=]+)$/i.exec(header) ?? [];
    if (encoded === undefined) throw serverFaults.UNAUTHORIZED();
    const [, user = "", password = ""] =
      /^([^:]*):([^]*)$/.exec(Buffer.from(encoded, "base64").toString()) ?? [];
    const known = this.#known.get(user);
    const bytes = Buffer.from(password);
    if (
      known !== undefined &&
      known.password.length === bytes.length &&
      timingSafeEqual(known.password, bytes)
    ) {
      return user;
    }
    // For an unknown user as long as for a known one.
    const hash = this.#hashes.get(user) ?? unusableHash;
    if (!(await bcrypt.compare(password, hash)) || !this.#hashes.has(user)) throw serverFaults.UNAUTHORIZED();
    this.#known.set(user, { user, password: bytes });
    return user;
  }

  /**
   * @throws {Fault} `unauthenticated` when a login could help, else `permission-denied`
   */
  require(user: string | undefined, wish: { readonly repository: string; readonly action: Action }): void {
    if (this.#readOnly && wish.action !== "pull") throw serverFaults.UNSUPPORTED("the registry is read-only");
    if (this.allows(user, wish)) return;
    if (user === undefined && this.#hashes !== undefined) throw serverFaults.UNAUTHORIZED();
    throw serverFaults.DENIED(`${wish.action} of ${wish.repository}`);
  }

  allows(user: string | undefined, wish: { readonly repository: string; readonly action: Action }): boolean {
    const rule = this.#rules.find(
      (candidate) =>
        (user === undefined
          ? candidate.user === "anonymous"
          : candidate.user === "*" || candidate.user === user) &&
        covers(candidate.repository, wish.repository),
    );
    return rule?.actions.includes(wish.action) === true;
  }
}

const allActions: readonly Action[] = ["pull", "push", "delete"];

/** Of no password. */
const unusableHash = "$2b$10$abcdefghijklmnopqrstuuBRzQjPFcqAHe7kLSe1VTF.t2LJQLqk6";

function covers(pattern: string, repository: string): boolean {
  if (pattern === "*" || pattern === repository) return true;
  return pattern.endsWith("/*") && repository.startsWith(pattern.slice(0, -1));
}

function parseUsers(text: string): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, user, hash] = /^([^:]+):(\$2[aby]\$\d\d\$[./A-Za-z0-9]{53})\s*$/.exec(line) ?? [];
    if (user === undefined || hash === undefined) {
      throw serverFaults.CONFIG_INVALID(
        `Cannot read the users, line ${at + 1}: name:hash with a bcrypt hash was wanted (htpasswd -B)`,
      );
    }
    users.set(user, hash.replace(/^\$2y/, "$2b"));
  }
  return users;
}
