"""A node of a BitTorrent swarm, for measuring: libtorrent from PyPI.

`python -m harness.torrent make FILE URL TORRENT` writes a torrent whose web seed is URL.
`python -m harness.torrent join TORRENT FOLDER ADDRESS PEER...` brings the file into FOLDER from
these peers (and the web seed, if the torrent names one), says `done`, and goes on to seed.
"""

import sys
import time
from pathlib import Path

import libtorrent

PORT = 6881
_PIECE = 2**20


def make(file: Path, url: str, torrent: Path) -> None:
    flags = libtorrent.create_torrent.v1_only
    made = libtorrent.create_torrent(libtorrent.list_files(str(file)), _PIECE, flags)
    if url:
        made.add_url_seed(url)
    libtorrent.set_piece_hashes(made, str(file.parent))
    torrent.write_bytes(libtorrent.bencode(made.generate()))


def join(torrent: Path, folder: Path, address: str, peers: list[str]) -> None:
    session = libtorrent.session(
        {  # nodes that know each other, on one network: nothing is to be found out
            "listen_interfaces": f"{address}:{PORT}",
            "enable_dht": False,
            "enable_lsd": False,
            "enable_upnp": False,
            "enable_natpmp": False,
            "allow_multiple_connections_per_ip": True,
            "close_redundant_connections": False,
            "connection_speed": 200,
            "alert_mask": 0,
        }
    )
    wanted = libtorrent.add_torrent_params()
    wanted.ti = libtorrent.torrent_info(str(torrent))
    wanted.save_path = str(folder)
    if (folder / wanted.ti.name()).exists():
        wanted.flags |= libtorrent.torrent_flags.seed_mode  # it was just brought, and is believed
    handle = session.add_torrent(wanted)
    asked = 0.0
    while not handle.status().is_seeding:
        if time.monotonic() - asked > 1.0:  # who has not begun to listen yet is tried again
            asked = time.monotonic()
            for peer in peers:
                handle.connect_peer((peer, PORT))
        time.sleep(0.02)
    sys.stdout.write("done\n")
    sys.stdout.flush()
    time.sleep(3600)


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
    else:
        join(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4], sys.argv[5:])
