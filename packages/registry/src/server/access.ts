import { createHash, timingSafeEqual } from "node:crypto";
import { Semaphore } from "@hawser/base";
import bcrypt from "bcryptjs";
import { serverFaults } from "./faults.ts";
import type { Users } from "./users.ts";

export type Action = "pull" | "push" | "delete";

/** Who may do what. The first rule that speaks of user and repository decides. */
export interface AccessRule {
  /** A user's name; `*`: everyone who has logged in; `anonymous`: whoever has not. */
  readonly user: string;
  /** A name; `team/*`: all below; `*`: all. */
  readonly repository: string;
  readonly actions: readonly Action[];
}

/** Something to do with a repository. */
export interface Wish {
  readonly repository: string;
  readonly action: Action;
}

/** Whoever sends a request. */
export interface Caller {
  /** `undefined`: nobody has logged in. */
  readonly user: string | undefined;
  /** Whether he may ask which repositories there are. */
  readonly mayList: boolean;
  readonly allows: (wish: Wish) => boolean;
  /** Whether he may know that a repository is there. */
  readonly lists: (repository: string) => boolean;
}

export interface AccessOptions {
  readonly users?: Users;
  /** A token service elsewhere knows the users. With neither nobody needs to log in, and rules speak of `anonymous` only. */
  readonly tokensElsewhere?: boolean;
  /** Absent: users may do everything; others, with `anonymousPull`, pull. */
  readonly rules?: readonly AccessRule[];
  readonly anonymousPull?: boolean;
  readonly readOnly?: boolean;
}

/** Passwords that wait to be compared, seconds of a processor. */
const maxWaiting = 100;

/** Users and what they may do. */
export class Access {
  readonly #users: Users | undefined;
  readonly #rules: readonly AccessRule[];
  readonly #readOnly: boolean;
  /** Passwords that were right, as they were sent: bcrypt takes tens of milliseconds, requests come in hundreds. */
  readonly #known = new Map<string, { readonly password: Buffer; readonly hash: string }>();
  /** The others are compared one at a time, since the event loop stands still meanwhile: who guesses must not hold up who has logged in. */
  readonly #comparing = new Semaphore(1);
  #waiting = 0;

  constructor(options: AccessOptions = {}) {
    this.#users = options.users;
    this.#readOnly = options.readOnly === true;
    const isOpen = this.#users === undefined && options.tokensElsewhere !== true;
    const anonymous = isOpen ? allActions : options.anonymousPull === true ? (["pull"] as const) : [];
    this.#rules = options.rules ?? [
      { user: "*", repository: "*", actions: allActions },
      { user: "anonymous", repository: "*", actions: anonymous },
    ];
  }

  /** Whether there are passwords. */
  get hasUsers(): boolean {
    return this.#users !== undefined;
  }

  /** @throws {Fault} `unauthenticated` for a wrong password; `resource-exhausted` when too many are being compared */
  async logIn(user: string, password: string): Promise<Caller> {
    const bytes = Buffer.from(password);
    if (this.#isKnown(user, bytes)) return this.callerOf(user);
    if (this.#waiting >= maxWaiting) throw serverFaults.TOOMANYREQUESTS();
    this.#waiting++;
    try {
      using _turn = await this.#comparing.acquire();
      if (this.#isKnown(user, bytes)) return this.callerOf(user);
      const hash = this.#users?.find(user);
      // For an unknown user as long as for a known one.
      if (!(await bcrypt.compare(password, hash ?? unusableHash)) || hash === undefined) {
        throw serverFaults.UNAUTHORIZED();
      }
      this.#known.set(user, { password: bytes, hash });
      return this.callerOf(user);
    } finally {
      this.#waiting--;
    }
  }

  #isKnown(user: string, password: Buffer): boolean {
    const known = this.#known.get(user);
    return (
      known !== undefined &&
      known.hash === this.#users?.find(user) &&
      known.password.length === password.length &&
      timingSafeEqual(known.password, password)
    );
  }

  /** Who a user is, by the rules. */
  callerOf(user: string | undefined): Caller {
    const isOpen = this.#rules.some(
      ({ user: whose, actions }) => whose === "anonymous" && actions.includes("pull"),
    );
    return {
      user,
      mayList: user !== undefined || isOpen,
      allows: (wish) => this.allows(user, wish),
      lists: (repository) => this.allows(user, { repository, action: "pull" }),
    };
  }

  /** Changes with the user's password; `undefined`: no such user. */
  passwordMark(user: string): string | undefined {
    const hash = this.#users?.find(user);
    return hash && createHash("sha256").update(hash).digest("base64url");
  }

  /** @throws {Fault} `unauthenticated` when a login could help, else `permission-denied` */
  require(caller: Caller, wish: Wish & { readonly loginHelps: boolean }): void {
    if (this.#readOnly && wish.action !== "pull") throw serverFaults.UNSUPPORTED("the registry is read-only");
    if (caller.allows(wish)) return;
    if (wish.loginHelps) throw serverFaults.UNAUTHORIZED();
    throw serverFaults.DENIED(`${wish.action} of ${wish.repository}`);
  }

  /** What the rules say. */
  allows(user: string | undefined, wish: Wish): boolean {
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
