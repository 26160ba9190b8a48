"""Processes are known by files, and only those that the files name are ended."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tools.flink.errors import ClusterError
from tools.flink.processes import Command, Processes
from tools.flink.readiness import check_free, wait

# Starts a child of its own and waits, as the pool of Python workers does.
PARENT = (
    "import subprocess, sys, time;"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
    "print('ready', flush=True); time.sleep(60)"
)


def _until(path: Path, text: str) -> None:
    deadline = time.monotonic() + 20
    while text not in path.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_stop_ends_a_process_and_its_children_and_no_other(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        started = processes.start(Command("pool", [sys.executable, "-c", PARENT]))
        _until(processes.log("pool"), "ready")
        (child,) = started.children()
        assert {name: process.pid for name, process in processes.running().items()} == {
            "pool": started.pid
        }
        # Known to whoever opens the folder.
        assert Processes(tmp_path).stop() == ["pool"]
        assert processes.running() == {}
        for process in (started, child):
            assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        assert other.poll() is None
        assert processes.stop() == []
    finally:
        other.kill()
        other.wait()


def test_a_process_id_that_was_given_again_is_somebody_else(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        record = tmp_path / "processes" / "pool.json"
        record.parent.mkdir()
        created = psutil.Process(other.pid).create_time() - 100
        record.write_text(json.dumps({"pid": other.pid, "created": created}))
        assert processes.running() == {}
        assert processes.stop() == []
        assert other.poll() is None
        assert not record.exists()
    finally:
        other.kill()
        other.wait()


def test_a_process_that_ends_is_not_waited_for(tmp_path: Path) -> None:
    processes = Processes(tmp_path)
    processes.start(Command("pool", [sys.executable, "-c", "raise SystemExit('no such option')"]))
    with pytest.raises(ClusterError, match=r"workers: pool ended; the end of .*pool\.log") as error:
        wait("workers", lambda: False, "pool", processes, 20)
    assert str(error.value).endswith("no such option\n")


def test_a_port_that_is_taken_is_named() -> None:
    import socket

    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(ClusterError, match=rf"port {port}, wanted for the job server, is tak"):
            check_free({"the job server": port})
    check_free({"the job server": port})
