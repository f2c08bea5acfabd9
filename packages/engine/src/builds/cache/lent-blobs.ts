import type { ClientSession, SessionContent } from "@hawser/build/grpc";
import type { Digest } from "@hawser/oci";

/**
 * A folder of blobs that the client lends, by the name that it has for it: buildx has containerd's service for it, Hawser's own client
 * gives each blob as a file.
 */
export function lentBlobs(session: ClientSession, store: string): Pick<SessionContent, "read"> {
  if (session.serves("/containerd.services.content.v1.Content/Info")) return session.content(store);
  return {
    read: (blob: Digest, signal: AbortSignal) =>
      session.upload(`/${encodeURIComponent(store)}/${blob}`, signal),
  };
}
