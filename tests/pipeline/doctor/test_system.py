"""What a machine must have, judged from what its own files say."""

import pytest

from pipeline.doctor import system
from pipeline.doctor.system import GIB

CPU = "processor\t: 0\nflags\t\t: fpu {}\nbugs\t\t: none\n"
MEMORY = "MemTotal:       {total} kB\nMemFree: 1 kB\nMemAvailable:   {available} kB\n"


@pytest.mark.parametrize(
    ("version", "state"), [((3, 10, 1), "ok"), ((3, 9, 18), "problem"), ((3, 11, 0), "problem")]
)
def test_python(version: tuple[int, ...], state: str) -> None:
    assert system.python(version).state == state


@pytest.mark.parametrize(
    ("version", "state"), [("2.36", "ok"), ("2.28", "ok"), ("2.9", "problem"), (None, "problem")]
)
def test_c_library(version: str | None, state: str) -> None:
    assert system.glibc(version).state == state


@pytest.mark.parametrize(
    ("machine", "flags", "state", "says"),
    [
        ("x86_64", "avx avx2 fma avx512f", "ok", ""),
        ("x86_64", "avx", "warning", "without avx2 fma"),
        ("x86_64", "sse2 avx2", "problem", "needs avx"),
        ("aarch64", "asimd", "problem", "x86_64 alone"),
    ],
)
def test_processor(machine: str, flags: str, state: str, says: str) -> None:
    check = system.processor(machine, CPU.format(flags), 2)
    assert check.state == state
    assert says in check.way_out


def test_a_processor_without_a_list_of_features_is_not_called_fit() -> None:
    assert system.processor("x86_64", "", 2).state == "warning"


@pytest.mark.parametrize(
    ("total", "available", "limit", "state"),
    [
        (8, 6, None, "ok"),
        (8, 1, None, "warning"),
        (3, 3, None, "warning"),
        (1, 1, None, "problem"),
        (8, 6, 1 * GIB, "problem"),
        (8, 6, 64 * GIB, "ok"),
    ],
)
def test_memory(total: int, available: int, limit: int | None, state: str) -> None:
    text = MEMORY.format(total=total << 20, available=available << 20)
    assert system.memory(text, limit).state == state


def test_this_machine_is_looked_at() -> None:
    names = [check.name for check in system.checks()]
    assert names == ["Python", "C library", "processor", "memory", "local ports"]
