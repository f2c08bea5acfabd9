import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Fault } from "@hawser/base";
import {
  familiarName,
  formatFamiliar,
  formatReference,
  parseAnyReference,
  parseReference,
  withDefaultTag,
} from "./reference.ts";

interface Table {
  readonly Test: string;
  readonly Line: number;
  readonly Cases: readonly unknown[];
}

const tables: readonly Table[] = JSON.parse(
  readFileSync(join(import.meta.dirname, "testdata/reference.json"), "utf8"),
);

function cases<T>(name: string, line?: number): readonly T[] {
  const found = tables.find((table) => table.Test === name && (line === undefined || table.Line === line));
  assert.ok(found, `no table ${name}`);
  return found.Cases as readonly T[];
}

function refuses(text: string): void {
  assert.throws(
    () => parseReference(text),
    (error) => Fault.is(error, "invalid-argument"),
    text,
  );
}

describe("parseReference() agrees with Docker's own tables", () => {
  test("valid names", () => {
    for (const name of cases<string>("TestValidateReferenceName", 12)) parseReference(name);
    for (const name of cases<string>("TestValidateRemoteName", 79)) parseReference(name);
  });

  test("invalid names", () => {
    for (const name of cases<string>("TestValidateReferenceName", 45)) refuses(name);
    for (const name of cases<string>("TestValidateRemoteName", 109)) refuses(name);
  });

  test("repository info", () => {
    type Row = Record<"RemoteName" | "FamiliarName" | "FullName" | "AmbiguousName" | "Domain", string>;
    for (const row of cases<Row>("TestParseRepositoryInfo", 153)) {
      for (const text of [row.FamiliarName, row.FullName, row.AmbiguousName]) {
        if (text === undefined || text === "") continue;
        const reference = parseReference(text);
        assert.deepEqual(
          {
            remote: reference.path,
            familiar: formatFamiliar(reference),
            full: formatReference(reference),
            domain: reference.domain,
          },
          { remote: row.RemoteName, familiar: row.FamiliarName, full: row.FullName, domain: row.Domain },
          text,
        );
      }
    }
  });

  test("domain and path", () => {
    for (const row of cases<Record<"domain" | "input" | "path", string>>("TestNormalizedSplitHostname")) {
      const { domain, path } = parseReference(row.input);
      assert.deepEqual(
        { domain, path: path.replace(/^library\//, "") },
        { domain: row.domain, path: row.path.replace(/^library\//, "") },
        row.input,
      );
    }
  });

  test("what may be a name or a digest", () => {
    type Row = { readonly Reference: string; readonly Equivalent?: string };
    for (const row of cases<Row>("TestParseAnyReference")) {
      if (row.Equivalent === undefined) continue;
      const any = parseAnyReference(row.Reference);
      const text = any.kind === "digest" ? any.digest : formatReference(any.reference);
      assert.equal(text, row.Equivalent);
    }
  });

  test("default tag", () => {
    type Row = { readonly input: string; readonly expected: string };
    for (const row of cases<Row>("TestParseDockerRef")) {
      const reference = withDefaultTag(parseReference(row.input));
      // Docker's function also drops the tag where there is a digest; here the name keeps both.
      assert.equal(
        formatReference(
          reference.digest === undefined ? reference : ({ ...reference, tag: undefined } as never),
        ),
        row.expected,
        row.input,
      );
    }
  });

  test("the grammar", () => {
    type Row = {
      readonly input?: string;
      readonly repository?: string;
      readonly tag?: string;
      readonly err?: unknown;
    };
    for (const row of cases<Row>("TestReferenceParse")) {
      const input: unknown = row.input ?? "";
      if (typeof input !== "string") continue; // an expression of the original, not data
      // Names that mean something else once they are normalised are the other tables' subject.
      if (row.err !== undefined) {
        // "Uppercase/..." is a registry once names are normalised, and sha512 is known here.
        if (!/^Uppercase\/|@sha512:/.test(input)) refuses(input);
        continue;
      }
      if (!input.includes("/") || !/^[^/]*[.:]/.test(input)) continue;
      const reference = parseReference(input);
      assert.equal(`${reference.domain}/${reference.path}`, row.repository, input);
      assert.equal(reference.tag, row.tag, input);
    }
  });
});

test("parseReference() says what Docker says", () => {
  const message = (text: string) => {
    try {
      parseReference(text);
    } catch (error) {
      return error instanceof Error ? error.message : error;
    }
    return undefined;
  };
  assert.equal(message(""), "invalid reference format");
  assert.equal(message("a b"), "invalid reference format");
  assert.equal(message("Foo/Bar/"), "invalid reference format: repository name (Bar/) must be lowercase");
  assert.equal(
    message("docker/Foo"),
    "invalid reference format: repository name (docker/Foo) must be lowercase",
  );
  assert.equal(message(`d/${"a".repeat(300)}`), "repository name must not be more than 255 characters");
  assert.equal(message(`d/${"a".repeat(3_000_000)}`), "repository name must not be more than 255 characters");
  assert.equal(
    message("a".repeat(64)),
    `invalid repository name (${"a".repeat(64)}), cannot specify 64-byte hexadecimal strings`,
  );
  assert.equal(message("x\n"), "invalid reference format");
});

test("familiarName() keeps library/ where the rest would read as a user", () => {
  assert.equal(familiarName(parseReference("library/a/b")), "library/a/b");
  assert.equal(familiarName(parseReference("docker.io/library/a")), "a");
});

test("parseReference() is a fixed point of formatFamiliar() and formatReference()", () => {
  for (const text of [
    "a",
    "a:b",
    "u/a",
    "h.io:5/x/y:T",
    `a:t@sha256:${"0".repeat(64)}`,
    "localhost/a",
    "[::1]:5000/a",
  ]) {
    const reference = parseReference(text);
    assert.deepEqual(parseReference(formatFamiliar(reference)), reference);
    assert.deepEqual(parseReference(formatReference(reference)), reference);
  }
});
