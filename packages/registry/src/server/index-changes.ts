/** What a record is of. */
export type RecordKind = "link" | "manifest" | "tag";

/** One thing that the index has, as it is kept elsewhere, too. `value` of a link is empty, of a tag its digest. */
export interface IndexRecord {
  readonly kind: RecordKind;
  readonly repository: string;
  /** A digest or a tag. */
  readonly key: string;
  readonly value: string;
}

/** A record that was added, changed or (without value) removed. */
export interface IndexChange extends Omit<IndexRecord, "value"> {
  readonly value: string | undefined;
}

/** SQL that notes in the table `changes` what changes; what is entered as it is, and times, are no change. */
export function changeTriggers(): string {
  return (
    triggersOf("link", "links", "digest") +
    triggersOf("manifest", "manifests", "digest") +
    triggersOf("tag", "tags", "tag")
  );
}

function triggersOf(kind: RecordKind, table: string, key: "digest" | "tag"): string {
  const columns = { link: [], manifest: ["media_type"], tag: ["digest"] }[kind];
  const same = ["repository", key, ...columns].map((column) => `${column} = NEW.${column}`).join(" AND ");
  const note = (row: "NEW" | "OLD") =>
    `INSERT INTO changes (kind, repository, key) VALUES ('${kind}', ${row}.repository, ${row}.${key});`;
  return `CREATE TEMP TRIGGER ${table}_added BEFORE INSERT ON main.${table}
      WHEN NOT EXISTS (SELECT 1 FROM main.${table} WHERE ${same}) BEGIN ${note("NEW")} END;
    CREATE TEMP TRIGGER ${table}_removed AFTER DELETE ON main.${table} BEGIN ${note("OLD")} END;`;
}
