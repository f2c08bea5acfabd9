"""What docker-py's users do, against the engine at DOCKER_HOST. One behaviour a function: python3 behaviours.py <name>."""

import contextlib
import io
import os
import sys
import tarfile
import threading
import time

import docker
from docker.errors import APIError, BuildError, ContainerError, ImageNotFound, NotFound
from docker.types import IPAMConfig, IPAMPool, LogConfig, Mount, Ulimit

client = docker.from_env(timeout=30)
SLEEP = ["sleep", "1000"]


@contextlib.contextmanager
def container(*args, **options):
    """A running one with busybox's sleep unless told otherwise; gone afterwards."""
    made = client.containers.run("busybox", *(args or [SLEEP]), detach=True, **options)
    try:
        yield made
    finally:
        made.remove(force=True, v=True)


def tar_of(**files):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    return data.getvalue()


def eventually(condition, patience=20):
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "did not come true in time"
        time.sleep(0.02)


def raises(kind, function, *args, **options):
    try:
        function(*args, **options)
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} was expected")


def system_is_told():
    assert client.ping()
    version = client.version()
    assert version["ApiVersion"] and version["Os"] == "linux"
    assert client.info()["OSType"] == "linux"
    assert "LayersSize" in client.df()
    old = docker.DockerClient(base_url=os.environ["DOCKER_HOST"], version="1.24")
    assert old.api.version()["ApiVersion"]
    assert docker.DockerClient(base_url=os.environ["DOCKER_HOST"], version="auto").ping()


def run_returns_the_output():
    assert client.containers.run("busybox", "echo out", remove=True) == b"out\n"
    both = client.containers.run("busybox", ["sh", "-c", "echo out; echo err >&2"], stderr=True, remove=True)
    assert sorted(both.split()) == [b"err", b"out"]
    lines = list(client.containers.run("busybox", ["sh", "-c", "echo 1; echo 2"], stream=True, remove=True))
    assert b"".join(lines) == b"1\n2\n"


def run_raises_what_went_wrong():
    failed = raises(ContainerError, client.containers.run, "busybox", ["sh", "-c", "echo why >&2; exit 7"], remove=True)
    assert failed.exit_status == 7 and failed.stderr == b"why\n"
    assert raises(APIError, client.containers.run, "busybox", "/nowhere", remove=True).status_code == 400
    raises(ImageNotFound, client.containers.create, "nowhere:1")
    raises(NotFound, client.containers.get, "nowhere")


def containers_live_and_are_told_of():
    with container(
        name="life",
        labels={"a": "b"},
        environment={"A": "b c"},
        hostname="host",
        mem_limit="32m",
        ulimits=[Ulimit(name="nofile", soft=64, hard=128)],
        tmpfs={"/t": "size=1m"},
        cap_drop=["ALL"],
        log_config=LogConfig(type=LogConfig.types.JSON, config={"max-size": "1m"}),
    ) as made:
        made.reload()
        assert (made.status, made.name, made.labels) == ("running", "life", {"a": "b"})
        assert made.image.tags == ["busybox:latest"]
        assert made.attrs["HostConfig"]["Memory"] == 32 << 20
        assert [one.id for one in client.containers.list(filters={"label": "a=b"})] == [made.id]
        assert client.containers.list(filters={"status": "exited"}) == []
        assert made.exec_run("sh -c 'echo $A; hostname; ulimit -n'").output == b"b c\nhost\n64\n"
        assert made.top()["Titles"][-1] == "CMD"
        assert made.stats(stream=False)["pids_stats"]["current"] >= 1
        made.pause()
        made.reload()
        assert made.status == "paused"
        made.unpause()
        made.rename("renamed")
        made.update(mem_limit="64m", memswap_limit="128m")
        made.restart(timeout=0)
        made.reload()
        assert (made.name, made.status) == ("renamed", "running")
        made.kill("KILL")
        assert made.wait()["StatusCode"] == 137
        made.start()
        made.stop(timeout=0)
        assert made.wait(condition="not-running")["StatusCode"] == 137


def waiting_ends_with_removal():
    made = client.containers.run("busybox", ["sh", "-c", "sleep 0.1; exit 3"], detach=True, auto_remove=True)
    assert made.wait(condition="removed")["StatusCode"] == 3
    raises(NotFound, client.containers.get, made.id)


def exec_in_every_way():
    with container() as made:
        assert made.exec_run("sh -c 'exit 5'").exit_code == 5
        apart = made.exec_run(["sh", "-c", "echo out; echo err >&2"], demux=True)
        assert apart.output == (b"out\n", b"err\n")
        assert b"".join(made.exec_run("echo streamed", stream=True).output) == b"streamed\n"
        assert made.exec_run("id -u", user="12").output == b"12\n"
        assert made.exec_run("pwd", workdir="/tmp").output == b"/tmp\n"
        assert made.exec_run("sh -c 'echo $X'", environment=["X=y"]).output == b"y\n"
        assert made.exec_run("echo on a terminal", tty=True).output == b"on a terminal\r\n"
        made.exec_run("touch /detached", detach=True)
        eventually(lambda: made.exec_run("test -e /detached").exit_code == 0)
        _, connection = made.exec_run(["cat"], stdin=True, socket=True)
        connection._sock.sendall(b"to and fro\n")
        connection._sock.shutdown(1)
        received = b""
        while chunk := connection._sock.recv(4096):
            received += chunk
        assert received.endswith(b"to and fro\n"), received
        made.pause()
        assert raises(APIError, made.exec_run, "true").status_code == 409
        made.unpause()


def logs_in_every_way():
    script = "echo 1; echo 2 >&2; echo 3"
    with container(["sh", "-c", script]) as made:
        made.wait()
        assert sorted(made.logs().split()) == [b"1", b"2", b"3"]
        assert made.logs(stderr=False) == b"1\n3\n"
        assert made.logs(stdout=False) == b"2\n"
        assert made.logs(stderr=False, timestamps=True).split(b" ")[0].endswith(b"Z")
        assert made.logs(since=int(time.time()) + 1000) == b""
        assert made.logs(until=1) == b""
    with container(["sh", "-c", "echo 1; echo 2; echo 3"]) as made:
        made.wait()
        assert made.logs(tail=2) == b"2\n3\n"


def logs_are_followed():
    with container(["sh", "-c", "i=0; while [ $i -lt 200 ]; do echo $i; i=$((i+1)); done"]) as made:
        assert b"".join(made.logs(stream=True, follow=True)).split() == [b"%d" % i for i in range(200)]
    with container(["sh", "-c", "echo ready; sleep 1000"]) as made:
        stream = made.logs(stream=True, follow=True)
        assert next(stream) == b"ready\n"
        ended = threading.Thread(target=lambda: list(stream))
        ended.start()
        made.kill()
        ended.join(20)
        assert not ended.is_alive()


def sockets_attach():
    made = client.containers.create("busybox", ["sh", "-c", "cat; echo end"], stdin_open=True)
    try:
        connection = made.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        made.start()
        connection._sock.sendall(b"through a socket\n")
        connection._sock.shutdown(1)
        received = b""
        while chunk := connection._sock.recv(4096):
            received += chunk
        assert b"through a socket\n" in received and received.endswith(b"end\n"), received
    finally:
        made.remove(force=True)


def attach_streams():
    made = client.containers.create("busybox", ["sh", "-c", "echo out; echo err >&2"])
    try:
        stream = made.attach(stream=True, logs=True, demux=True)
        made.start()
        said = list(stream)
        assert b"".join(out for out, _ in said if out) == b"out\n"
        assert b"".join(err for _, err in said if err) == b"err\n"
    finally:
        made.remove(force=True)


def terminals_resize():
    with container(["sh"], tty=True, stdin_open=True) as made:
        made.resize(height=33, width=99)
        assert made.exec_run("true", tty=True).exit_code == 0
        connection = made.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
        connection._sock.sendall(b"stty size; exit\n")
        received = b""
        while chunk := connection._sock.recv(4096):
            received += chunk
        assert b"33 99\r\n" in received, received


def archives_go_in_and_out():
    with container() as made:
        assert made.put_archive("/tmp", tar_of(a=b"one", b=b"two"))
        assert made.exec_run("cat /tmp/a /tmp/b").output == b"onetwo"
        chunks, stat = made.get_archive("/tmp")
        assert stat["name"] == "tmp"
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
            assert archive.extractfile("tmp/b").read() == b"two"
        raises(NotFound, made.get_archive, "/nowhere")
        raises(APIError, made.put_archive, "/nowhere", tar_of(a=b""))
        assert {"Path": "/tmp/a", "Kind": 1} in made.diff()
        exported = b"".join(made.export())
        with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
            assert archive.extractfile("tmp/a").read() == b"one"


def images_are_made_named_and_moved():
    with container(["sh", "-c", "echo kept >/kept"]) as made:
        made.wait()
        image = made.commit(repository="made", tag="1", conf={"Env": ["A=b"]}, message="why", author="who")
    assert image.tags == ["made:1"] and image.attrs["Comment"] == "why"
    assert client.containers.run("made:1", "cat /kept", remove=True) == b"kept\n"
    assert image.tag("other", tag="2")
    assert [one.id for one in client.images.list(name="other")] == [image.id]
    assert image.history()[0]["Comment"] == "why"
    saved = b"".join(client.images.get("made:1").save(named=True))
    client.images.remove("other:2")
    client.images.remove("made:1")
    raises(ImageNotFound, client.images.get, "made:1")
    (loaded,) = client.images.load(saved)
    assert loaded.id == image.id and loaded.tags == ["made:1"]
    client.images.remove(loaded.id, force=True)
    assert client.images.prune(filters={"dangling": True})["SpaceReclaimed"] >= 0
    raises(APIError, client.images.remove, "UPPER")


def images_are_built():
    dockerfile = b"FROM busybox\nARG WHAT\nCOPY a /a\nRUN cat /a >/b && echo $WHAT >>/b\nLABEL x=y\nCMD cat /b\n"
    context = io.BytesIO(tar_of(Dockerfile=dockerfile, a=b"copied\n"))
    image, log = client.images.build(
        fileobj=context, custom_context=True, tag="built:1", rm=True, buildargs={"WHAT": "argued"}
    )
    assert any("Successfully built" in line.get("stream", "") for line in log)
    assert image.labels == {"x": "y"}
    assert client.containers.run("built:1", remove=True) == b"copied\nargued\n"
    wrong = io.BytesIO(tar_of(Dockerfile=b"FROM busybox\nRUN exit 3\n"))
    failed = raises(BuildError, client.images.build, fileobj=wrong, custom_context=True, rm=True)
    assert "returned a non-zero code: 3" in failed.msg
    absent = io.BytesIO(tar_of(Dockerfile=b"FROM 127.0.0.1:1/absent\n"))
    failed = raises(BuildError, client.images.build, fileobj=absent, custom_context=True, rm=True)
    assert {"stream": "Step 1/1 : FROM 127.0.0.1:1/absent\n"} in list(failed.build_log)
    client.images.remove("built:1")


def volumes_hold():
    volume = client.volumes.create(name="held", labels={"a": "b"})
    try:
        client.containers.run("busybox", ["sh", "-c", "echo v >/v/f"], volumes={"held": {"bind": "/v", "mode": "rw"}}, remove=True)
        mount = Mount(target="/w", source="held", type="volume", read_only=True)
        assert client.containers.run("busybox", "cat /w/f", mounts=[mount], remove=True) == b"v\n"
        assert [one.name for one in client.volumes.list(filters={"label": "a=b"})] == ["held"]
        with container(volumes=["held:/v"]):
            assert raises(APIError, volume.remove).status_code == 409
    finally:
        volume.remove()
    raises(NotFound, client.volumes.get, "held")
    assert client.volumes.prune()["VolumesDeleted"] in (None, [])


def networks_connect():
    pool = IPAMPool(subnet="10.98.3.0/24", gateway="10.98.3.1")
    network = client.networks.create("joined", driver="bridge", ipam=IPAMConfig(pool_configs=[pool]), labels={"a": "b"})
    try:
        with container(name="server", network="joined"), container(name="asker") as asker:
            network.connect(asker, aliases=["other"], ipv4_address="10.98.3.7")
            network.reload()
            assert sorted(one.name for one in network.containers) == ["asker", "server"]
            asker.reload()
            assert asker.attrs["NetworkSettings"]["Networks"]["joined"]["IPAddress"] == "10.98.3.7"
            assert asker.exec_run("ping -c 1 -W 5 server").exit_code == 0
            network.disconnect(asker)
            assert raises(APIError, network.remove).status_code == 403
        assert [one.name for one in client.networks.list(names=["joined"])] == ["joined"]
    finally:
        network.remove()
    raises(NotFound, client.networks.get, "joined")


def events_are_heard():
    began = int(time.time()) - 1
    heard = []
    stream = client.events(decode=True, filters={"type": "container", "label": "heard"})
    listener = threading.Thread(target=lambda: heard.extend(event["Action"] for event in stream))
    listener.start()
    client.containers.run("busybox", "true", labels=["heard"], remove=True)
    eventually(lambda: "destroy" in heard)
    stream.close()
    listener.join(20)
    assert not listener.is_alive()
    assert [action for action in heard if action in ("create", "start", "die", "destroy")] == ["create", "start", "die", "destroy"]
    past = client.events(decode=True, since=began, until=int(time.time()) + 1, filters={"label": "heard"})
    assert [event["Action"] for event in past][0] == "create"


def health_is_told():
    check = {"test": ["CMD", "true"], "interval": 50_000_000}
    with container(healthcheck=check) as made:
        eventually(lambda: (made.reload(), made.attrs["State"]["Health"]["Status"])[1] == "healthy")


def names_and_limits_are_refused():
    assert raises(APIError, client.containers.create, "busybox", name="a b").status_code == 400
    assert raises(APIError, client.containers.create, "busybox", mem_limit=1).status_code == 400
    with container(name="taken"):
        assert raises(APIError, client.containers.create, "busybox", name="taken").status_code == 409
    assert raises(APIError, client.volumes.create, name="a b").status_code == 400
    assert raises(APIError, client.networks.create, "bridge").status_code == 403


if __name__ == "__main__":
    globals()[sys.argv[1]]()
