"""Errors: a sentence for the user's, the log's place for a mistake of ours, `--debug` for both."""

from __future__ import annotations

import argparse
import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.cli import doctor, main
from pipeline.cli.failures import unexpected_message, user_message
from pipeline.errors import DataError


@pytest.fixture
def run_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[BaseException, list[str]], int]:
    """Runs a command whose handler raises."""

    def run(error: BaseException, options: list[str]) -> int:
        def handler(_args: argparse.Namespace) -> int:
            raise error

        monkeypatch.setattr(doctor, "handler", handler)
        return main.main(["doctor", "--workspace", str(tmp_path), *options])

    return run


def test_an_error_of_the_users_is_one_sentence(
    run_with: Callable[[BaseException, list[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(DataError("ratings.csv: line 3 has no rating"), []) == 2
    assert capsys.readouterr().err == "pocketrec: ratings.csv: line 3 has no rating\n"


def test_a_mistake_of_ours_names_the_log_that_holds_the_traceback(
    run_with: Callable[[BaseException, list[str]], int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "logs").mkdir()
    assert run_with(ZeroDivisionError("first\nsecond"), []) == 1
    said = capsys.readouterr().err
    match = re.fullmatch(
        r"pocketrec: unexpected error, which is a mistake in PocketRec: ZeroDivisionError: first\. "
        r"The traceback is in (.*); --debug shows it\n",
        said,
    )
    assert match is not None
    log = Path(match[1])
    assert log.parent == tmp_path / "logs"
    assert "raise error" in log.read_text()


@pytest.mark.parametrize("error", [DataError("no rating"), ZeroDivisionError("oops")])
def test_debug_shows_the_traceback(
    run_with: Callable[[BaseException, list[str]], int],
    error: Exception,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_with(error, ["--debug"])
    said = capsys.readouterr().err
    assert said.startswith("Traceback (most recent call last)")
    assert said.splitlines()[-1].startswith("pocketrec: ")


def test_an_interruption_says_so(
    run_with: Callable[[BaseException, list[str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_with(KeyboardInterrupt(), []) == 130
    assert capsys.readouterr().err == "\npocketrec: interrupted\n"


def _os_error(code: int, *names: str) -> OSError:
    return OSError(code, os.strerror(code), *names)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (_os_error(errno.EACCES, "/a/b"), "/a/b: Permission denied; give yourself the right"),
        (_os_error(errno.EROFS, "/a/b"), "/a/b: Read-only file system; name a place that can be"),
        (_os_error(errno.ENOSPC), "No space left on device; free some space"),
        (MemoryError(), "there is not enough memory"),
    ],
)
def test_what_the_system_refuses_is_the_users_to_mend(error: BaseException, says: str) -> None:
    assert (user_message(error) or "").startswith(says)


@pytest.mark.parametrize("error", [ValueError("x"), _os_error(errno.EACCES), KeyError("x")])
def test_other_errors_are_mistakes(error: BaseException) -> None:
    assert user_message(error) is None


def test_a_server_that_does_not_answer_is_named_without_what_lies_between() -> None:
    from mlflow.exceptions import MlflowException

    error = MlflowException(
        "API request to http://127.0.0.1:9/api failed with exception HTTPConnectionPool("
        "host='127.0.0.1'): Max retries exceeded (Caused by NewConnectionError('<x at 0x7f>: "
        "Failed to establish a new connection: [Errno 111] Connection refused'))"
    )
    assert user_message(error) == (
        "MLflow: API request to http://127.0.0.1:9/api failed ([Errno 111] Connection refused); "
        "check --tracking-uri and the server behind it"
    )


def test_without_a_folder_of_logs_the_traceback_goes_to_a_temporary_file(tmp_path: Path) -> None:
    message = unexpected_message(ValueError(), tmp_path / "none")
    match = re.search(r"PocketRec: ValueError\. The traceback is in (\S+);", message)
    assert match is not None
    Path(match[1]).unlink()
    assert not (tmp_path / "none").exists()
