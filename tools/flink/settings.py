"""Size and ports of the cluster, and Flink's configuration made of them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import yaml

from pipeline.text_file import write_text

JAVA_MODULES = (
    *(
        f"--add-exports={package}=ALL-UNNAMED"
        for package in (
            "java.base/sun.net.util",
            "java.rmi/sun.rmi.registry",
            "java.security.jgss/sun.security.krb5",
        )
    ),
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"
        for package in (
            "java.lang",
            "java.lang.reflect",
            "java.io",
            "java.net",
            "java.nio",
            "java.text",
            "java.time",
            "java.util",
            "java.util.concurrent",
            "java.util.concurrent.atomic",
            "java.util.concurrent.locks",
            "sun.nio.ch",
        )
    ),
)
"""What Flink reaches into by reflection, as in the configuration that it ships with."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a cluster is started with.

    Attributes:
        task_managers: Processes that work is spread over.
        slots: Tasks that one of them runs side by side.
        task_heap_mib: Java heap for tasks, a task manager.
        network_mib: Buffers for shuffles, a task manager.
        managed_mib: For sorting and hashing, a task manager.
        workers_mib: Buffers towards the Python workers, a task manager.
        rest_port: Of Flink's REST interface and dashboard.
        rpc_port: Of the job manager, for the task managers.
        job_port: Of Beam's job server; artifacts and expansion take the two ports below.
        workers_port: Of the pool that starts Python workers.
    """

    task_managers: int = 2
    slots: int = 1
    task_heap_mib: int = 768
    network_mib: int = 1024
    managed_mib: int = 256
    workers_mib: int = 768
    rest_port: int = 8081
    rpc_port: int = 6123
    job_port: int = 8099
    workers_port: int = 50000

    @property
    def artifact_port(self) -> int:
        """Of the job server, for what workers fetch."""
        return self.job_port - 1

    @property
    def expansion_port(self) -> int:
        """Of the job server, for transforms in other languages."""
        return self.job_port - 2

    @property
    def rest_address(self) -> str:
        """Of the dashboard."""
        return f"http://localhost:{self.rest_port}"

    def beam_args(self) -> list[str]:
        """Returns the pipeline options that run a pipeline on this cluster."""
        return [
            "--runner=PortableRunner",
            f"--job_endpoint=localhost:{self.job_port}",
            "--environment_type=EXTERNAL",
            f"--environment_config=localhost:{self.workers_port}",
            f"--parallelism={self.task_managers * self.slots}",
            f"--environment_cache_millis={ENVIRONMENT_CACHE_MILLIS}",
        ]

    def to_json(self) -> str:
        """Returns the text that `from_json` reads."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """Reads what `to_json` wrote."""
        return cls(**json.loads(text))


ENVIRONMENT_CACHE_MILLIS = 60_000
"""How long a Python worker of a job outlives the stage that used it: starting one takes longer."""

TEMPORARY = "tmp"
"""Folder of Flink's own files, beside that of its configuration."""

_FRAMEWORK_HEAP_MIB = 256
_FRAMEWORK_DIRECT_MIB = 128
_METASPACE_MIB = 512
_OVERHEAD_MIB = 256
_MASTER_HEAP_MIB = 512


def task_manager_options(settings: Settings) -> list[str]:
    """Returns Java's options of a task manager: the limits behind its memory configuration."""
    direct = _FRAMEWORK_DIRECT_MIB + settings.workers_mib + settings.network_mib
    return [
        *JAVA_MODULES,
        f"-Xmx{_FRAMEWORK_HEAP_MIB + settings.task_heap_mib}m",
        f"-XX:MaxDirectMemorySize={direct}m",
        f"-XX:MaxMetaspaceSize={_METASPACE_MIB}m",
    ]


def master_options() -> list[str]:
    """Returns Java's options of the job manager, and of the job server."""
    return [*JAVA_MODULES, f"-Xmx{_MASTER_HEAP_MIB}m"]


def write_configuration(folder: Path, settings: Settings) -> None:
    """Writes Flink's configuration files.

    Every part of the task managers' memory is given: without Flink's own start scripts nothing
    else works them out.
    """
    tree = {
        "jobmanager": {
            "rpc": {"address": "localhost", "port": settings.rpc_port},
            "bind-host": "localhost",
            "memory": {"heap": {"size": f"{_MASTER_HEAP_MIB}m"}},
        },
        "rest": {
            "address": "localhost",
            "bind-address": "localhost",
            "port": settings.rest_port,
            # Not the next free one: the port is what every other process is told.
            "bind-port": str(settings.rest_port),
        },
        "taskmanager": {
            "host": "localhost",
            "bind-host": "localhost",
            "numberOfTaskSlots": settings.slots,
            "cpu": {"cores": float(settings.slots)},
            "memory": {
                "framework": {
                    "heap": {"size": f"{_FRAMEWORK_HEAP_MIB}m"},
                    "off-heap": {"size": f"{_FRAMEWORK_DIRECT_MIB}m"},
                },
                "task": {
                    "heap": {"size": f"{settings.task_heap_mib}m"},
                    # Without it a million ratings end in "Direct buffer memory".
                    "off-heap": {"size": f"{settings.workers_mib}m"},
                },
                "managed": {"size": f"{settings.managed_mib}m"},
                "network": {
                    "min": f"{settings.network_mib}m",
                    "max": f"{settings.network_mib}m",
                },
                "jvm-metaspace": {"size": f"{_METASPACE_MIB}m"},
                "jvm-overhead": {"min": f"{_OVERHEAD_MIB}m", "max": f"{_OVERHEAD_MIB}m"},
            },
            # Each shuffle of a batch job asks for 512 buffers by default: TFX's statistics and
            # Transform have dozens and would find "Insufficient number of network buffers".
            "network": {"sort-shuffle": {"min-buffers": 16}},
        },
        # A job's classes are the cluster's own, so that Beam keeps Python workers between stages.
        "classloader": {"resolve-order": "parent-first"},
        "io": {"tmp": {"dirs": str(folder.parent / TEMPORARY)}},
        # Seconds that a task manager keeps the jars of a job that is over; by default an hour.
        "blob": {"service": {"cleanup": {"interval": 60}}},
        "env": {"log": {"dir": str(folder.parent / "logs")}},
    }
    (folder.parent / TEMPORARY).mkdir(parents=True, exist_ok=True)
    write_text(folder / "config.yaml", yaml.safe_dump(tree, sort_keys=False))
    write_text(folder / "log4j.properties", _LOG4J)


_LOG4J = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = console
appender.console.name = console
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss,SSS} %-5p %c - %m%n
"""
