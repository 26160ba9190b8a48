"""What a failed run says: our own words where there are any, wrapped or with a cause."""

from pipeline.errors import DataError
from pipeline.local_runner import error_message


def _raised(outer: Exception, cause: Exception) -> Exception:
    outer.__cause__ = cause
    return outer


def test_our_own_error_is_told_whatever_wraps_or_caused_it() -> None:
    ours = _raised(DataError("ratings.csv, line 3: no rating"), ValueError("could not convert"))
    assert error_message(ours) == "ratings.csv, line 3: no rating"
    assert error_message(_raised(RuntimeError("while running"), ours)) == str(ours)


def test_of_other_errors_the_innermost_is_told() -> None:
    error = _raised(RuntimeError("outer"), OSError("No space left on device"))
    assert error_message(error) == "No space left on device"
    assert error_message(KeyError()) == "KeyError"
