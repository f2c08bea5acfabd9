import assert from "node:assert/strict";

export interface Described {
  readonly mediaType: string;
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly platform?: { readonly os: string; readonly architecture: string };
}

export interface Index {
  readonly mediaType: string;
  readonly manifests: readonly Described[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Statement {
  readonly _type: string;
  readonly predicateType: string;
  readonly subject: readonly { readonly name: string; readonly digest: Readonly<Record<string, string>> }[];
  readonly predicate: Provenance;
}

export interface Provenance {
  readonly builder: { readonly id: string };
  readonly materials: readonly { readonly uri: string; readonly digest: Readonly<Record<string, string>> }[];
  readonly invocation: {
    readonly configSource: { readonly entryPoint?: string };
    readonly parameters: {
      readonly frontend: string;
      readonly args?: Readonly<Record<string, string>>;
      readonly secrets?: readonly { readonly id: string }[];
      readonly locals?: readonly { readonly name: string }[];
    };
  };
  readonly buildConfig?: { readonly llbDefinition: readonly { readonly op: { readonly Op: unknown } }[] };
  readonly metadata: {
    readonly completeness: { readonly parameters: boolean; readonly materials: boolean };
    readonly reproducible: boolean;
    readonly "https://mobyproject.org/buildkit@v1#metadata": {
      readonly source?: { readonly infos: readonly { readonly data: string }[] };
    };
  };
}

type Registry = { readonly url: string };

/** A manifest, or with `blob:` before its digest a blob. */
export async function getJson<T>(registry: Registry, repository: string, reference: string): Promise<T> {
  const accept = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
  ].join(", ");
  const kind = reference.startsWith("blob:") ? "blobs" : "manifests";
  const place = `${registry.url}/v2/${repository}/${kind}/${reference.replace("blob:", "")}`;
  const answer = await fetch(place, { headers: { accept } });
  assert.equal(answer.status, 200, place);
  return (await answer.json()) as T;
}

/** What a registry says that a tag means. */
export async function digestOf(registry: Registry, repository: string, tag: string): Promise<string | null> {
  const accept =
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json";
  const answer = await fetch(`${registry.url}/v2/${repository}/manifests/${tag}`, {
    method: "HEAD",
    headers: { accept },
  });
  return answer.headers.get("docker-content-digest");
}

/** The statements of each image of an index, which must be beside it. */
export async function statementsOf(registry: Registry, repository: string, tag: string) {
  const index = await getJson<Index>(registry, repository, tag);
  assert.equal(index.mediaType, "application/vnd.oci.image.index.v1+json");
  const images = index.manifests.filter(({ platform }) => platform?.os !== "unknown");
  const found = await Promise.all(
    images.map(async (image) => {
      const about = index.manifests.find(
        ({ annotations }) => annotations?.["vnd.docker.reference.digest"] === image.digest,
      );
      assert.equal(about?.annotations?.["vnd.docker.reference.type"], "attestation-manifest");
      assert.deepEqual(about.platform, { architecture: "unknown", os: "unknown" });
      const { layers } = await getJson<{ layers: Described[] }>(registry, repository, about.digest);
      const statements: Statement[] = [];
      for (const { mediaType, digest, annotations } of layers) {
        assert.equal(mediaType, "application/vnd.in-toto+json");
        const statement = await getJson<Statement>(registry, repository, `blob:${digest}`);
        assert.equal(annotations?.["in-toto.io/predicate-type"], statement.predicateType);
        assert.equal(statement._type, "https://in-toto.io/Statement/v0.1");
        statements.push(statement);
      }
      return { image, statements };
    }),
  );
  return { index, images: found };
}
