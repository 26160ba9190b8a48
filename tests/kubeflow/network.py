"""A network of its own for servers that need their usual names and ports."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tests.kubeflow.manifests import PROJECT


def missing_means() -> str:
    """Returns what this machine lacks for a network; empty where nothing is."""
    lacking = [tool for tool in ("ip", "nsenter", "unshare") if not shutil.which(tool)]
    return f"not installed: {', '.join(lacking)}" if lacking else ""


def end(server: subprocess.Popen[str]) -> None:
    """Ends a server and all its processes at once.

    One that has taken another user in a namespace of its own outlives the process that made it.
    """
    if server.poll() is not None:
        return
    for process in psutil.Process(server.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    server.kill()
    server.wait()


class Network:
    """A loopback device, and a view of `/etc/hosts`; ends with the process that holds it.

    Args:
        names: Hosts that this machine is in there.
        folder: For the file of hosts.
    """

    def __init__(self, names: Sequence[str], folder: Path) -> None:
        self._folder = folder
        hosts = folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost {' '.join(names)}\n", encoding="utf-8")
        script = f"ip link set lo up; mount --bind {hosts} /etc/hosts; echo up; exec sleep infinity"
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-ec", script], stdout=subprocess.PIPE, text=True
        )
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == "up\n"

    def words(self, command: Sequence[str]) -> list[str]:
        """Returns the words that start a command in it."""
        return ["nsenter", f"--target={self._holder.pid}", "--net", "--mount", *command]

    def run(
        self, command: Sequence[str], *, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end, whatever its exit status."""
        return subprocess.run(
            ["env", *(f"{k}={v}" for k, v in (variables or {}).items()), *self.words(command)],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=False,
        )

    def python(self, program: str, *arguments: str, names: Sequence[str] | None = None) -> str:
        """Runs a program with the tests' Python, and returns what it printed.

        Args:
            program: Its text.
            arguments: Of it.
            names: The only hosts that it can find; None: all.
        """
        command = [sys.executable, "-c", program, *arguments]
        if names is not None:
            hosts = self._folder / "-".join(names)
            hosts.write_text(f"127.0.0.1 {' '.join(names)}\n", encoding="utf-8")
            view = f'mount --bind {hosts} /etc/hosts; exec "$@"'
            command = ["unshare", "--mount", "sh", "-ec", view, "sh", *command]
        done = self.run(command)
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    def wait_for(
        self,
        command: Sequence[str],
        server: subprocess.Popen[str],
        *,
        variables: Mapping[str, str] | None = None,
        seconds: float = 120,
    ) -> None:
        """Waits until a command succeeds.

        Raises:
            AssertionError: The server has ended, or the time has passed.
        """
        end = time.monotonic() + seconds
        while self.run(command, variables=variables).returncode != 0:
            assert server.poll() is None, f"{server.args!r}: exit {server.returncode}"
            assert time.monotonic() < end, f"not ready after {seconds} s: {server.args!r}"
            time.sleep(0.2)

    def close(self) -> None:
        """Ends it."""
        end(self._holder)
