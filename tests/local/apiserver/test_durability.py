"""An acknowledged write survives SIGKILL; a full disk refuses writes and loses nothing."""

import json
import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from support.apicalls import config_map, created, got, merged, namespace
from support.controlplane import EmbeddedServer
from support.plane import ControlPlane
from support.recordings import call


def _hammer(plane: ControlPlane, maps: str, writer: int, acknowledged: list[str]) -> None:
    """Create objects until the server is gone, and note each one that it has acknowledged."""
    for number in range(100_000):
        name = f"w{writer}-{number}"
        try:
            answer = call(plane, "POST", maps, config_map(name, number=str(number)))
        except OSError:
            return
        assert answer.status == 201
        acknowledged.append(name)


def test_every_acknowledged_write_is_there_after_a_kill(embedded_server: EmbeddedServer) -> None:
    plane = embedded_server.start()
    maps = namespace(plane, "hammered")
    before = got(plane, maps)["metadata"]["resourceVersion"]
    acknowledged: list[str] = []
    writers = [
        threading.Thread(target=_hammer, args=(plane, maps, writer, acknowledged))
        for writer in range(4)
    ]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + 120
    while len(acknowledged) < 100 and time.monotonic() < deadline:
        time.sleep(0.005)
    embedded_server.kill()
    for writer in writers:
        writer.join()

    plane = embedded_server.start()

    stored = {item["metadata"]["name"] for item in got(plane, maps)["items"]}
    assert len(acknowledged) >= 100
    assert set(acknowledged) <= stored
    query = f"{maps}?watch=1&resourceVersion={before}&timeoutSeconds=1"
    events = call(plane, "GET", query).events()
    assert {event["object"]["metadata"]["name"] for event in events} == stored
    assert {event["type"] for event in events} == {"ADDED"}


def test_versions_go_on_after_a_kill_even_when_the_newest_write_was_a_deletion(
    embedded_server: EmbeddedServer,
) -> None:
    plane = embedded_server.start()
    maps = namespace(plane, "versions")
    created(plane, maps, config_map("gone"))
    call(plane, "DELETE", f"{maps}/gone")
    newest = int(got(plane, maps)["metadata"]["resourceVersion"])
    embedded_server.kill()

    plane = embedded_server.start()

    assert int(created(plane, maps, config_map("next"))["metadata"]["resourceVersion"]) > newest


def test_parallel_writers_with_optimistic_locking_lose_no_update(
    control_plane: ControlPlane,
) -> None:
    maps = namespace(control_plane, "counting")
    created(control_plane, maps, config_map("counter", value="0"))

    def count(times: int) -> None:
        while times:
            counter = got(control_plane, f"{maps}/counter")
            counter["data"]["value"] = str(int(counter["data"]["value"]) + 1)
            answer = call(control_plane, "PUT", f"{maps}/counter", counter)
            assert answer.status in (200, 409), answer.text
            times -= answer.status == 200

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, [10] * 4))
    assert got(control_plane, f"{maps}/counter")["data"]["value"] == "40"


def test_parallel_patches_of_one_object_all_count(control_plane: ControlPlane) -> None:
    maps = namespace(control_plane, "patching")
    created(control_plane, maps, config_map("shared"))

    def patch(number: int) -> int:
        return merged(control_plane, f"{maps}/shared", {"data": {f"k{number}": "x"}}).status

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(patch, range(20))) == {200}
    assert len(got(control_plane, f"{maps}/shared")["data"]) == 20


def test_a_full_disk_refuses_writes_and_the_server_recovers(
    embedded_server: EmbeddedServer,
) -> None:
    plane = embedded_server.start()
    maps = namespace(plane, "full")
    created(plane, maps, config_map("before"))
    assert embedded_server.process is not None
    pid = embedded_server.process.pid
    # No file of the server may grow beyond what its journal holds now: to SQLite, a full disk.
    used = (embedded_server.directory / "objects.db-wal").stat().st_size
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (used, unlimited[1]))
    refused = call(plane, "POST", maps, config_map("refused", text="x" * 100_000))

    assert refused.status == 507, refused.text
    assert refused.json()["reason"] == "InsufficientStorage"
    assert [item["metadata"]["name"] for item in got(plane, maps)["items"]][-1] == "before" or (
        "refused" not in json.dumps(got(plane, maps))
    )

    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    created(plane, maps, config_map("after"))
    embedded_server.kill()
    plane = embedded_server.start()
    assert {item["metadata"]["name"] for item in got(plane, maps)["items"]} == {"before", "after"}


def test_a_write_into_a_removed_directory_is_refused(embedded_server: EmbeddedServer) -> None:
    plane = embedded_server.start()
    maps = namespace(plane, "vanishing")
    embedded_server.directory.joinpath("objects.db").unlink()
    refused = call(plane, "POST", maps, config_map("nowhere"))
    assert refused.status == 507, refused.text
    assert "No such file or directory" in refused.json()["message"]
    assert got(plane, maps)["items"] == []
