"""Installed packages against pins."""

from pathlib import Path

import pytest

from pipeline.doctor import packages

LOCK = """\
absl-py==1.4.0 \\
    --hash=sha256:0d
apache-beam[gcp]==2.62.0 ; python_version < "3.11" \\
    --hash=sha256:0d
# a comment
"""


def test_pins_of_a_lock_and_of_requirements() -> None:
    assert packages.pins(LOCK.splitlines()) == {"absl-py": "1.4.0", "apache-beam": "2.62.0"}
    assert packages.pins(["Ruamel_yaml==1.2", "numpy>=1"]) == {"ruamel-yaml": "1.2"}


def test_what_is_installed_is_read_off_the_names_of_folders(tmp_path: Path) -> None:
    for folder in ("first/Absl_py-1.4.0.dist-info", "second/absl_py-1.3.0.dist-info", "second/x"):
        (tmp_path / folder).mkdir(parents=True)
    path = [str(tmp_path / "first"), str(tmp_path / "second"), str(tmp_path / "none")]
    assert packages.installed(path) == {"absl-py": "1.4.0"}


@pytest.mark.parametrize(
    ("present", "state", "says"),
    [
        ({"a": "1", "b": "2"}, "ok", "2 as in requirements.lock"),
        ({"a": "1"}, "warning", "b is missing"),
        ({"b": "2"}, "problem", "a is missing"),
        ({"a": "1.1", "b": "2"}, "warning", "a is 1.1, not 1"),
    ],
)
def test_versions(present: dict[str, str], state: str, says: str) -> None:
    check = packages.versions(present, needed={"a": "1"}, locked={"a": "1", "b": "2"})
    assert check.state == state
    assert says in check.found


def test_many_differences_are_counted_not_listed() -> None:
    locked = {f"p{number}": "1" for number in range(9)}
    check = packages.versions({}, {}, locked)
    assert check.found == ("p0 is missing; p1 is missing; p2 is missing; p3 is missing and 5 more")


def test_this_environment_has_what_the_lock_says_and_loads_litert() -> None:
    versions, litert = packages.checks()
    assert (litert.state, litert.name) == ("ok", "LiteRT")
    assert "requirements.lock" in versions.found or versions.way_out
