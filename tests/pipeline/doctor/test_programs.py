"""Programs that a run does without."""

from pathlib import Path

import pytest

from pipeline.doctor import programs
from pipeline.doctor.packages import PROJECT


def test_the_browser_is_looked_for_as_the_tests_look_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finder = PROJECT / "tools" / "chromium.py"
    monkeypatch.setenv("POCKETREC_CHROMIUM", "sh")
    assert programs.browser(finder).found.endswith("/sh")
    monkeypatch.setenv("POCKETREC_CHROMIUM", "no-such-browser")
    check = programs.browser(finder)
    assert check.state == "warning"
    assert "no such program" in check.found
    assert programs.browser(tmp_path / "none.py").state == "ok"


def test_java_is_nobodys_problem() -> None:
    assert programs.java(None).state == "ok"
    assert programs.java("/usr/bin/java").found == "/usr/bin/java"
