export { divertSocket, isDivertible } from "./divert-socket.ts";
export {
  confineThread,
  deviceNumber,
  exchangeFiles,
  type FileAttributes,
  type FilePath,
  type FolderEntry,
  getXattr,
  listXattr,
  lockFile,
  makeFile,
  mknod,
  openInRoot,
  releaseThread,
  setFileAttributes,
  setTimesNs,
  setXattr,
  statFolder,
} from "./files.ts";
export { HeldRoot } from "./held-root.ts";
export { Inflater } from "./inflater.ts";
export { mountFileSystem, mountFlags, setProjectQuota, syncFileSystem, unmountFileSystem } from "./mounts.ts";
export {
  createNetworkNamespace,
  type NetworkNamespaceRequest,
  type NewNetworkNamespace,
  openNamespaceOfProcess,
  openNetworkNamespace,
  socketInNamespace,
} from "./namespaces.ts";
export { type NetlinkOptions, netlink, netlinkAsync } from "./netlink.ts";
export { type NetlinkFeedOptions, openNetlinkFeed } from "./netlink-feed.ts";
export { runNft } from "./nft.ts";
export { openWriter } from "./open-writer.ts";
export { type ReleasedSocket, releaseSocket } from "./release-socket.ts";
export {
  compileSeccomp,
  type SeccompComparison,
  type SeccompProgramRequest,
  type SeccompRule,
} from "./seccomp.ts";
export { sendFile } from "./send-file.ts";
export {
  connectUnix,
  isUnread,
  type PeerCredentials,
  peerCredentials,
  sendDatagram,
  sendWithDescriptors,
  socketDescriptor,
  socketPair,
} from "./sockets.ts";
export { confineThreadToView, type ViewBind, type ViewRoot } from "./view.ts";
