/** What an attestation is about. */
export interface Subject {
  readonly name: string;
  /** By algorithm. */
  readonly digest: Readonly<Record<string, string>>;
}

/** Something that is said of a result. */
export interface Attestation {
  /** In a folder of results. */
  readonly filename: string;
  readonly predicateType: string;
  readonly predicate: object;
  /** What it is about; absent: the result. */
  readonly subjects?: readonly Subject[];
}

/** https://github.com/in-toto/attestation/blob/main/spec/v0.1.0/statement.md: what buildx and its peers read. */
export interface Statement {
  readonly filename: string;
  readonly predicateType: string;
  /** `application/vnd.in-toto+json` */
  readonly bytes: Buffer;
}

export const statementMediaType = "application/vnd.in-toto+json";

/** @param options.indent for people's eyes, as in a folder of results */
export function formatStatement(
  { filename, predicateType, predicate, subjects }: Attestation,
  result: readonly Subject[],
  { indent = 0 }: { readonly indent?: number } = {},
): Statement {
  const statement = {
    _type: "https://in-toto.io/Statement/v0.1",
    predicateType,
    subject: subjects ?? result,
    predicate,
  };
  return { filename, predicateType, bytes: Buffer.from(JSON.stringify(statement, null, indent)) };
}
