"""The machine: Python, C library, processor, memory, network ports."""

from __future__ import annotations

import os
import platform
import socket
import sys
from pathlib import Path

from pipeline.doctor.check import Check, ok, problem, warning

PYTHON = (3, 10)
GLIBC = (2, 28)
"""The oldest that most of the locked packages' builds were made for."""

GIB = 1 << 30
_ENOUGH_MEMORY = 4 * GIB
_LEAST_MEMORY = 2 * GIB
# TensorFlow's builds for x86 end with "illegal instruction" without the first; with the others
# its kernels take half the time or less.
_NEEDED_FEATURES = ("avx",)
_FAST_FEATURES = ("avx2", "fma")
_ALSO_TOLD = ("avx512f", "avx512_vnni", "amx_int8")
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def checks() -> list[Check]:
    """Looks at this machine."""
    return [
        python(sys.version_info[:3]),
        glibc(_glibc_version()),
        processor(platform.machine(), _read("/proc/cpuinfo"), os.cpu_count() or 1),
        memory(_read("/proc/meminfo"), _limit()),
        port(),
    ]


def python(version: tuple[int, ...]) -> Check:
    """Judges Python's version."""
    found = ".".join(map(str, version))
    if version[:2] == PYTHON:
        return ok("Python", found)
    wanted = ".".join(map(str, PYTHON))
    return problem("Python", found, f"TFX needs {wanted}: `make setup` brings one")


def glibc(version: str | None) -> Check:
    """Judges the C library.

    Args:
        version: As `2.36`; None where there is no glibc.
    """
    wanted = ".".join(map(str, GLIBC))
    if version is None:
        return problem(
            "C library", "no glibc", f"TensorFlow is built for glibc {wanted} or later, not musl"
        )
    if tuple(map(int, version.split(".")[:2])) >= GLIBC:
        return ok("C library", f"glibc {version}")
    return problem("C library", f"glibc {version}", f"take a system with glibc {wanted} or later")


def processor(machine: str, cpuinfo: str, cores: int) -> Check:
    """Judges the processor.

    Args:
        machine: As `x86_64`.
        cpuinfo: The content of `/proc/cpuinfo`.
        cores: That this process sees.
    """
    lines = [line.partition(":") for line in cpuinfo.splitlines()]
    features = next((value.split() for key, _, value in lines if key.strip() == "flags"), [])
    told = [name for name in (*_NEEDED_FEATURES, *_FAST_FEATURES, *_ALSO_TOLD) if name in features]
    found = f"{machine}, {cores} cores" + (f", {' '.join(told)}" if told else "")
    if machine != "x86_64":
        return problem("processor", found, "TFX is built for x86_64 alone")
    if not features:
        return warning("processor", found, "its features cannot be read from /proc/cpuinfo")
    lacking = [name for name in _NEEDED_FEATURES if name not in features]
    if lacking:
        return problem("processor", found, f"TensorFlow needs {' '.join(lacking)}")
    slow = [name for name in _FAST_FEATURES if name not in features]
    if slow:
        return warning("processor", found, f"without {' '.join(slow)} training is slow")
    return ok("processor", found)


def memory(meminfo: str, limit: int | None) -> Check:
    """Judges the memory.

    Args:
        meminfo: The content of `/proc/meminfo`.
        limit: Bytes that this process's group may take; None if there is no limit.
    """
    entries = {
        key: int(value.split()[0]) << 10
        for key, _, value in (line.partition(":") for line in meminfo.splitlines())
        if value.split()[:1] and value.split()[0].isdigit()
    }
    if "MemTotal" not in entries:
        return warning("memory", "unknown", "a run needs 2 GiB and more with the data's size")
    total = min(entries["MemTotal"], limit or entries["MemTotal"])
    available = min(entries.get("MemAvailable", total), total)
    found = f"{total / GIB:.1f} GiB, {available / GIB:.1f} GiB of it available"
    if total < _LEAST_MEMORY:
        return problem("memory", found, "TFX and TensorFlow alone take 2 GiB")
    if available < _LEAST_MEMORY or total < _ENOUGH_MEMORY:
        return warning("memory", found, "a run takes 2 to 4 GiB: close other programs first")
    return ok("memory", found)


def port() -> Check:
    """Tries to listen on this machine, as Beam's workers do."""
    try:
        with socket.create_server(("127.0.0.1", 0)):
            return ok("local ports", "can be opened")
    except OSError as error:
        return warning(
            "local ports",
            f"none can be opened ({error.strerror})",
            "Beam's other engines and local servers need one; the default runner needs none",
        )


def _glibc_version() -> str | None:
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except ValueError:
        return None
    return version if name == "glibc" else None


def _limit() -> int | None:
    text = _read(str(_CGROUP_LIMIT)).strip()
    return int(text) if text.isdigit() else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
