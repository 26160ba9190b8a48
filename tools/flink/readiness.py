"""Whether the parts of the cluster answer."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

import psutil
import requests

from tools.flink.errors import ClusterError
from tools.flink.processes import Processes

POLL_SECONDS = 0.5
_ANSWER_SECONDS = 5.0


def port_answers(port: int) -> bool:
    """Whether something on this machine listens at a port."""
    with contextlib.suppress(OSError):
        socket.create_connection(("localhost", port), timeout=_ANSWER_SECONDS).close()
        return True
    return False


def check_free(ports: dict[str, int]) -> None:
    """Checks that nobody listens at the ports that are about to be taken.

    Raises:
        ClusterError: Somebody does; names port and use.
    """
    for use, port in ports.items():
        if port_answers(port):
            raise ClusterError(
                f"port {port}, wanted for {use}, is taken by another program; stop that one, or "
                "move all ports of the cluster: --port-offset 100"
            )


def registered_slots(rest_address: str) -> tuple[int, int]:
    """Returns how many task managers and slots Flink knows; none while it does not answer."""
    with contextlib.suppress(requests.RequestException):
        answer = requests.get(f"{rest_address}/overview", timeout=_ANSWER_SECONDS)
        if answer.ok:
            overview = answer.json()
            return int(overview["taskmanagers"]), int(overview["slots-total"])
    return 0, 0


def wait(
    what: str, ready: Callable[[], bool], name: str, processes: Processes, seconds: float
) -> None:
    """Waits until a process answers.

    Args:
        what: What is waited for, for the message.
        ready: Asks.
        name: The process.
        processes: Those of the cluster.
        seconds: How long at most.

    Raises:
        ClusterError: The process ended or does not answer; gives the end of its log.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        process = processes.running().get(name)
        if process is None or time.monotonic() > deadline:
            log = processes.log(name)
            problem = "ended" if process is None else f"does not answer after {seconds:.0f} s"
            raise ClusterError(f"{what}: {name} {problem}; the end of {log}:\n{_tail(log)}")
        with contextlib.suppress(psutil.Error):
            time.sleep(POLL_SECONDS)


def _tail(log: object, lines: int = 15) -> str:
    with open(str(log), encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        return "".join(file.readlines()[-lines:])
