import type { EngineClient } from "@hawser/api/client";
import { formatReference, parseReference, repositoryOf, withDefaultTag } from "@hawser/oci";
import { showProgress } from "../../format/progress.ts";
import { platformQuery } from "../../options/platform-option.ts";
import type { Output } from "../../session.ts";

/**
 * Have the engine fetch an image; its progress is shown on `out`, when given.
 *
 * @throws {Fault} `invalid-argument` for what is no name of an image, the engine's refusal otherwise.
 */
export async function pullImage(options: {
  readonly client: EngineClient;
  readonly image: string;
  readonly platform: string;
  readonly out?: Output;
}): Promise<void> {
  const reference = withDefaultTag(parseReference(options.image));
  const { body } = await options.client.send({
    method: "POST",
    path: "/images/create",
    query: {
      fromImage: formatReference(repositoryOf(reference)),
      tag: reference.digest ?? reference.tag,
      ...platformQuery(options.platform),
    },
  });
  await showProgress(body, options.out);
}
