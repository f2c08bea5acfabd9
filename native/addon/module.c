/* The table of what the addon gives to packages/linux. No state: it may be loaded by any number of worker threads. */
#include "addon.h"

static const struct {
  const char *name;
  napi_callback function;
} functions[] = {
    {"peerCredentials", peer_credentials},
    {"duplicate", duplicate},
    {"lockFile", lock_file},
    {"unreadByPeer", unread_by_peer},
    {"connectUnix", connect_unix},
    {"sendWithDescriptors", send_with_descriptors},
    {"socketPair", socket_pair},
    {"sendDatagram", send_datagram},
    {"createNetworkNamespace", create_network_namespace},
    {"netlink", netlink},
    {"netlinkAsync", netlink_async},
    {"sendFile", send_file},
    {"socketInNamespace", socket_in_namespace},
    {"confineThread", confine_thread},
    {"releaseThread", release_thread},
    {"holdRoot", hold_root},
    {"enterRoot", enter_root},
    {"dropRoot", drop_root},
    {"makeNode", make_node},
    {"exchangeFiles", exchange_files},
    {"setXattr", set_xattr},
    {"getXattr", get_xattr},
    {"listXattr", list_xattr},
    {"setTimesNs", set_times_ns},
    {"makeFile", make_file},
    {"setFileAttributes", set_file_attributes},
    {"createInflater", create_inflater},
    {"inflate", inflate_bytes},
    {"openInRoot", open_in_root},
    {"statFolder", stat_folder},
    {"confineThreadToView", confine_thread_to_view},
    {"mountFileSystem", mount_file_system},
    {"unmountFileSystem", unmount_file_system},
    {"syncFileSystem", sync_file_system},
    {"setProjectQuota", set_project_quota},
    {"runNft", run_nft},
    {"openNetlinkFeed", open_netlink_feed},
    {"compileSeccomp", compile_seccomp},
};

NAPI_MODULE_INIT() {
  remember_home();
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    napi_value value;
    if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].function, NULL, &value) != napi_ok)
      return NULL;
    if (napi_set_named_property(env, exports, functions[i].name, value) != napi_ok) return NULL;
  }
  return exports;
}
