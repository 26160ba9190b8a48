"""Starts, stops and describes the cluster.

A job manager, task managers, Beam's job server and a pool that starts Python workers. Each is a
process of this user; what belongs to the cluster is known by the files in its folder alone.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from pipeline.text_file import write_text
from tools.flink import readiness
from tools.flink.errors import ClusterError
from tools.flink.lock import locked
from tools.flink.packages import Packages, fetch
from tools.flink.processes import Command, Processes
from tools.flink.programs import java
from tools.flink.settings import (
    TEMPORARY,
    Settings,
    master_options,
    task_manager_options,
    write_configuration,
)

PROJECT = Path(__file__).resolve().parents[2]
DEFAULT_FOLDER = PROJECT / ".flink"

READY_SECONDS = 120.0

_ARTIFACTS = "artifacts"
_MASTER = "job-manager"
_JOB_SERVER = "job-server"
_WORKERS = "workers"

_MASTER_CLASS = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER_CLASS = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_JOB_SERVER_CLASS = "org.apache.beam.runners.flink.FlinkJobServerDriver"


@dataclasses.dataclass(frozen=True)
class Status:
    """What runs of a cluster.

    Attributes:
        expected: Names of the processes that a whole cluster has; empty where none was started.
        process_ids: Those that run, by name.
        slots: Tasks that can run side by side, as Flink says.
        settings: Of the cluster; None where none was started.
    """

    expected: tuple[str, ...]
    process_ids: dict[str, int]
    slots: int
    settings: Settings | None

    @property
    def whole(self) -> bool:
        """Whether a pipeline can run on it."""
        return bool(self.expected) and set(self.expected) == set(self.process_ids)


class Cluster:
    """One cluster, in one folder."""

    def __init__(self, folder: Path, packages: Path, say: Callable[[str], None]) -> None:
        """Opens the folder; nothing is started.

        Args:
            folder: Configuration, logs and the files that name the processes.
            packages: Where jars are kept; several clusters may share them.
            say: Told what takes time.
        """
        self._folder = folder.resolve()
        self._packages = packages.resolve()
        self._say = say
        self._settings_file = self._folder / "settings.json"
        self.processes = Processes(self._folder)

    def start(self, settings: Settings) -> None:
        """Starts what does not run yet; nothing is left running where that fails.

        Raises:
            ClusterError: A program, a port or a package cannot be had, a process does not answer,
                or a cluster with other settings runs here.
        """
        program = java()
        packages = fetch(self._packages, self._say)
        with locked(self._folder):
            running = self.processes.running()
            if running and self._settings() != settings:
                raise ClusterError(
                    f"{self._folder}: a cluster with other settings runs here; stop it first: "
                    "python -m tools.flink stop"
                )
            commands = self._commands(settings, packages, program)
            missing = [command for command in commands if command.name not in running]
            if not missing:
                return
            # All anew: task managers of a job manager that is gone, or workers of a job server
            # that is gone, are of no use.
            self._end()
            readiness.check_free(_ports(settings))
            write_configuration(self._folder / "conf", settings)
            write_text(self._settings_file, settings.to_json())
            started = False
            try:
                self._start(commands, settings)
                started = True
            finally:
                if not started:
                    self._end()

    def stop(self) -> list[str]:
        """Ends the cluster's processes and returns their names."""
        with locked(self._folder):
            return self._end()

    def status(self) -> Status:
        """Says what runs."""
        settings = self._settings()
        if settings is None:
            return Status((), {}, 0, None)
        running = {name: process.pid for name, process in self.processes.running().items()}
        slots = readiness.registered_slots(settings.rest_address)[1] if _MASTER in running else 0
        return Status(_names(settings), running, slots, settings)

    def _end(self) -> list[str]:
        ended = self.processes.stop()
        # Gigabytes: each job brings Beam's jars, and a task manager keeps its copy.
        for name in (TEMPORARY, _ARTIFACTS):
            shutil.rmtree(self._folder / name, ignore_errors=True)
        return ended

    def _start(self, commands: list[Command], settings: Settings) -> None:
        for command in commands:
            self.processes.start(command)
        self._say(f"starting {', '.join(command.name for command in commands)} ...")
        slots = settings.task_managers * settings.slots
        self._wait(
            "task managers",
            lambda: readiness.registered_slots(settings.rest_address)[1] >= slots,
            _MASTER,
        )
        self._wait("job server", lambda: readiness.port_answers(settings.job_port), _JOB_SERVER)
        self._wait(
            "Python workers", lambda: readiness.port_answers(settings.workers_port), _WORKERS
        )

    def _wait(self, what: str, ready: Callable[[], bool], name: str) -> None:
        readiness.wait(what, ready, name, self.processes, READY_SECONDS)

    def _commands(self, settings: Settings, packages: Packages, program: Path) -> list[Command]:
        conf = self._folder / "conf"
        cluster_path = ":".join(str(jar) for jar in _cluster_jars(packages))
        logging = f"-Dlog4j.configurationFile=file:{conf}/log4j.properties"

        def flink(main: str, options: list[str]) -> list[str]:
            words = [str(program), *options, logging, "-cp", cluster_path, main]
            return [*words, "--configDir", str(conf)]

        environment = {"FLINK_CONF_DIR": str(conf)}
        managers = [
            Command(
                name,
                [
                    *flink(_TASK_MANAGER_CLASS, task_manager_options(settings)),
                    "-D", f"taskmanager.resource-id={name}",
                ],
                environment,
            )
            for name in _task_managers(settings)
        ]  # fmt: skip
        job_server = [
            str(program), *master_options(), "-cp", f"{packages.job_server}/*", _JOB_SERVER_CLASS,
            f"--flink-master=localhost:{settings.rest_port}", "--job-host=localhost",
            f"--job-port={settings.job_port}", f"--artifact-port={settings.artifact_port}",
            f"--expansion-port={settings.expansion_port}",
            f"--artifacts-dir={self._folder / _ARTIFACTS}",
        ]  # fmt: skip
        workers = [
            sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main",
            f"--service_port={settings.workers_port}",
        ]  # fmt: skip
        return [
            Command(_MASTER, flink(_MASTER_CLASS, master_options()), environment),
            *managers,
            Command(_JOB_SERVER, job_server, environment),
            Command(_WORKERS, workers, _worker_environment()),
        ]

    def _settings(self) -> Settings | None:
        if not self._settings_file.is_file():
            return None
        return Settings.from_json(self._settings_file.read_text(encoding="utf-8"))


def _cluster_jars(packages: Packages) -> list[Path]:
    """Flink's jars, then Beam's with what they need; Flink's own parts and logging once."""
    ours = sorted(packages.flink.glob("*.jar"))
    theirs = [
        jar
        for jar in sorted(packages.job_server.glob("*.jar"))
        if not jar.name.startswith(("flink-", "slf4j-", "log4j-"))
    ]
    return [*ours, *theirs]


def _worker_environment() -> dict[str, str]:
    """Workers start `python` and import the steps' modules: those of this checkout."""
    paths = [str(PROJECT), os.environ.get("PYTHONPATH", "")]
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}",
        "PYTHONPATH": ":".join(path for path in paths if path),
        "TF_CPP_MIN_LOG_LEVEL": "1",
    }


def _task_managers(settings: Settings) -> tuple[str, ...]:
    return tuple(f"task-manager-{number}" for number in range(1, settings.task_managers + 1))


def _names(settings: Settings) -> tuple[str, ...]:
    return (_MASTER, *_task_managers(settings), _JOB_SERVER, _WORKERS)


def _ports(settings: Settings) -> dict[str, int]:
    return {
        "Flink's REST interface": settings.rest_port,
        "the job manager": settings.rpc_port,
        "the job server": settings.job_port,
        "the job server's artifacts": settings.artifact_port,
        "the job server's expansion": settings.expansion_port,
        "the pool of Python workers": settings.workers_port,
    }
