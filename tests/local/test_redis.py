"""The private Redis: there while it is used, nothing left afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil
import pytest
import redis as client_library

from local import redis


def test_without_redis_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(redis.RedisMissingError, match="apt-get install redis-server"), redis.server(tmp_path):
        pass


if shutil.which("redis-server"):  # only a benchmark needs it, so a machine without it has nothing to skip

    def test_nothing_of_a_server_is_left_although_a_client_is_still_connected(tmp_path: Path) -> None:
        with redis.server(tmp_path / "logs") as (url, supervisor):
            client = client_library.Redis.from_url(url, decode_responses=True)
            folder = Path(client.config_get("dir")["dir"])
            server = psutil.Process(supervisor.running[redis.PROCESS].pid)
            assert folder.exists()
        client.close()  # only now: the server did not wait for it
        assert not server.is_running()
        assert not folder.exists()

    def test_a_server_asks_for_its_password(tmp_path: Path) -> None:
        with redis.server(tmp_path / "logs") as (url, supervisor):
            _, _, address = url.rpartition("@")
            with (
                client_library.Redis.from_url(f"redis://{address}") as client,
                pytest.raises(client_library.AuthenticationError),
            ):
                client.ping()
            command_line = psutil.Process(supervisor.running[redis.PROCESS].pid).cmdline()
            assert url.removeprefix("redis://:").partition("@")[0] not in " ".join(command_line)

    def test_a_server_listens_on_the_loopback_alone(tmp_path: Path) -> None:
        with redis.server(tmp_path / "logs") as (_, supervisor):
            connections = psutil.Process(supervisor.running[redis.PROCESS].pid).net_connections("inet")
            assert {item.laddr.ip for item in connections if item.status == psutil.CONN_LISTEN} == {"127.0.0.1"}
