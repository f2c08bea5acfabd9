import { defineFaults } from "@hawser/base";

export const linuxFaults = defineFaults({
  TEXT_WITH_NUL: ["invalid-argument", () => "Cannot use a path with NUL in it"],
  ADDON_MISSING: [
    "unavailable",
    (path: string) =>
      `Cannot load the native addon: ${path} does not exist; build it with "make -C native/addon"`,
  ],
  ADDON_UNUSABLE: [
    "unavailable",
    (path: string, reason: string) =>
      `Cannot load the native addon ${path}: ${reason}; build it anew with "make -C native/addon clean all"`,
  ],
  NO_DESCRIPTOR: [
    "unavailable",
    () =>
      "Cannot get the descriptor of the socket: it is closed, not connected yet, or not backed by the kernel",
  ],
  MAIN_THREAD: [
    "invalid-argument",
    () =>
      "Cannot confine the main thread: its working folder and root are the whole process', a worker was wanted",
  ],
  NFT_MISSING: [
    "unavailable",
    () => "Cannot change firewall rules: libnftables.so.1 is not installed; install nftables",
  ],
  NFT_REFUSED: ["internal", (reason: string) => `Cannot change firewall rules: nftables says: ${reason}`],
  NO_NAMESPACE: [
    "not-found",
    (pid: number) => `Cannot open the network namespace of process ${pid}: it is gone`,
  ],
});
