import type { ServiceImpl } from "@connectrpc/connect";
import type { BuildHistory } from "./build-history.ts";
import { protocolFaults } from "./faults.ts";
import type { Content } from "./generated/content_pb.ts";
import { grpcError } from "./grpc-error.ts";

/** containerd's `Content`, for what records of builds point to. Nobody writes to it. */
export function contentService(history: Pick<BuildHistory, "find">): Partial<ServiceImpl<typeof Content>> {
  const bytesOf = (digest: string) => {
    const bytes = history.find(digest);
    if (bytes === undefined) throw grpcError(protocolFaults.RECORD_MISSING(digest));
    return bytes;
  };
  return {
    info: ({ digest }) => ({ info: { digest, size: BigInt(bytesOf(digest).length) } }),
    async *read({ digest, offset, size }) {
      const from = Number(offset);
      const bytes = bytesOf(digest).subarray(from, size > 0n ? from + Number(size) : undefined);
      for (let at = 0; at < bytes.length; at += maxPieceBytes)
        yield { offset: offset + BigInt(at), data: bytes.slice(at, at + maxPieceBytes) };
    },
  };
}

const maxPieceBytes = 1 << 20;
