import type { EngineClient } from "@hawser/api/client";
import { formatReference, parseReference, repositoryOf, withDefaultTag } from "@hawser/oci";
import { showProgress } from "../../format/progress.ts";
import { platformQuery } from "../../options/platform-option.ts";
import { registryAuthHeaders } from "../../registry-auth.ts";
import type { Output, Session } from "../../session.ts";

/**
 * Have the engine fetch an image; its progress is shown on `out`, when given.
 *
 * @throws {Fault} `invalid-argument` for what is no name of an image, the engine's refusal otherwise.
 */
export async function pullImage(options: {
  readonly session: Session;
  readonly client: EngineClient;
  readonly image: string;
  /** Every tag of the repository. */
  readonly all?: boolean;
  readonly platform: string;
  readonly out?: Output;
}): Promise<void> {
  const named = parseReference(options.image);
  const reference = options.all === true ? named : withDefaultTag(named);
  const { body } = await options.client.send({
    method: "POST",
    path: "/images/create",
    query: {
      fromImage: formatReference(repositoryOf(reference)),
      tag: reference.digest ?? reference.tag,
      ...platformQuery(options.platform),
    },
    headers: await registryAuthHeaders(options.session, reference.domain),
  });
  await showProgress(body, options.out);
}
