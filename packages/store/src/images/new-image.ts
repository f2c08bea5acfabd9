import {
  type ExecutionConfig,
  formatReference,
  parseReference,
  type Reference,
  withDefaultTag,
} from "@hawser/oci";
import { storeFaults } from "../faults.ts";

/** What an image does of which nobody has said anything. */
export const emptyExecution: ExecutionConfig = {
  user: "",
  exposedPorts: [],
  env: [],
  volumes: [],
  workingDir: "",
  labels: {},
  stopSignal: "",
};

/** A name for an image: `latest` unless it has a tag. @throws {Fault} `invalid-argument` for what cannot be one */
export function parseTarget(text: string): Reference {
  const reference = withDefaultTag(parseReference(text));
  if (reference.digest !== undefined) throw storeFaults.TAG_WITH_DIGEST();
  if (formatReference(reference).startsWith("docker.io/library/sha256:"))
    throw storeFaults.TAG_IS_ALGORITHM();
  return reference;
}
