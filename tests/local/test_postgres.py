"""The private PostgreSQL cluster: there while it is used, nothing left afterwards."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest
import sqlalchemy

from local import postgres


def test_without_postgresql_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(postgres, "_DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(postgres.PostgresMissingError, match="apt-get install postgresql"), postgres.cluster(tmp_path):
        pass


def test_the_newest_version_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for version in ("9.6", "15", "17"):
        programs = tmp_path / version / "bin"
        programs.mkdir(parents=True)
        if version != "17":  # a client without a server
            (programs / "initdb").touch()
    monkeypatch.setattr(postgres, "_DEBIAN", tmp_path)
    assert postgres.find_programs() == tmp_path / "15" / "bin"


def _is_installed() -> bool:
    try:
        return bool(postgres.find_programs())
    except postgres.PostgresMissingError:
        return False


if _is_installed():  # only `make soak` needs it, so a machine without it has nothing to skip

    def test_nothing_of_a_cluster_is_left_although_a_client_is_still_connected(tmp_path: Path) -> None:
        with postgres.cluster(tmp_path / "logs") as (url, supervisor):
            client = sqlalchemy.create_engine(url).connect()
            (folder,) = client.execute(sqlalchemy.text("SHOW data_directory")).scalars()
            server = psutil.Process(supervisor.running[postgres.PROCESS].pid)
            processes = [server, *server.children(recursive=True)]
            assert len(processes) > 1
        client.invalidate()  # only now: the server did not wait for it
        assert not any(process.is_running() for process in processes)
        assert not Path(folder).parent.exists()

    def test_a_cluster_asks_for_its_password(tmp_path: Path) -> None:
        with postgres.cluster(tmp_path / "logs") as (url, _):
            wrong = sqlalchemy.make_url(url).set(password="wrong")
            with pytest.raises(sqlalchemy.exc.OperationalError, match="password authentication failed"):
                sqlalchemy.create_engine(wrong).connect()
