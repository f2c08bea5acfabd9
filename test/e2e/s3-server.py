"""OpenStack Swift with its S3 API, whole, in one process: account, container, object and proxy server, one device, one replica.

    /usr/bin/python3 s3-server.py <existing folder> <access key> <secret key>

Listens on a free port of loopback, writes `listens http://127.0.0.1:<port>` when it answers, and goes with SIGTERM or SIGKILL. The
folder keeps everything. Needs Debian's python3-swift.
"""

import json
import os
import sys
from time import time as now

import eventlet
import eventlet.wsgi
from eventlet import listen, sleep, spawn

from swift.common import utils

utils.HASH_PATH_PREFIX = b""
utils.HASH_PATH_SUFFIX = b"hawser"
utils.validate_configuration = lambda: None  # it would read /etc/swift/swift.conf for the two above
utils.eventlet_monkey_patch()

from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

folder, access_key, secret_key = sys.argv[1:4]
account, user = access_key.split(":")

COMMON = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
disable_fallocate = true
fallocate_reserve = 0
log_level = WARNING
log_address = {folder}/log
"""

STORAGE = COMMON + """
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""

PROXY = COMMON + """
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats s3api tempauth bulk copy slo dlo versioned_writes proxy-server
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
max_upload_part_num = 10000
auth_pipeline_check = false
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {secret_key} .admin
user_{account}_stranger = {secret_key}
[filter:bulk]
use = egg:swift#bulk
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
max_manifest_segments = 10000
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_versioned_writes = false
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
"""


class Cache:
    """What memcached is to Swift."""

    def __init__(self):
        self.values = {}

    def get(self, key, raise_on_error=False):
        text, until = self.values.get(key, (None, 0))
        return json.loads(text) if text is not None and (until == 0 or now() < until) else None

    def set(self, key, value, serialize=True, time=0, min_compress_len=0, raise_on_error=False):
        self.values[key] = (json.dumps(value), now() + time if time else 0)

    def delete(self, key, server_key=None):
        self.values.pop(key, None)


def with_cache(app):
    cache = Cache()

    def cached(environ, start_response):
        environ["swift.cache"] = cache
        return app(environ, start_response)

    return cached


def serve(socket, conf_name, text, kind):
    path = os.path.join(folder, conf_name)
    with open(path, "w") as conf:
        conf.write(text.format(folder=folder, kind=kind, account=account, user=user, secret_key=secret_key))
    app = loadapp(path, global_conf={"log_name": kind})
    if kind == "proxy":
        app = with_cache(app)
    spawn(eventlet.wsgi.server, socket, app, log=open(os.devnull, "w"), keepalive=True)


os.makedirs(os.path.join(folder, "devices", "sda"), exist_ok=True)
kinds = ("account", "container", "object")
import logging
logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
sockets = {kind: listen(("127.0.0.1", 0)) for kind in kinds}
for kind in kinds:
    ring = RingBuilder(1, 1, 1)
    ring.add_dev({"region": 1, "zone": 1, "ip": "127.0.0.1", "port": sockets[kind].getsockname()[1], "device": "sda", "weight": 1})
    ring.rebalance(seed=1)
    ring.get_ring().save(os.path.join(folder, f"{kind}.ring.gz"))
for kind in kinds:
    serve(sockets[kind], f"{kind}.conf", STORAGE, kind)
proxy = listen(("127.0.0.1", 0), backlog=512)
serve(proxy, "proxy.conf", PROXY, "proxy")
print(f"listens http://127.0.0.1:{proxy.getsockname()[1]}", flush=True)
while True:
    sleep(3600)
