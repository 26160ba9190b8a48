"""What `pocketrec run` says of a run that was interrupted."""

from pathlib import Path

from pipeline.cli.run import interruption_lines
from pipeline.local_runner import RunOutcome
from pipeline.progress.journal import Reached


def _lines(reached: Reached, *, cache: bool = True) -> list[str]:
    outcome = RunOutcome(
        "id", 61.6, Path("logs/a.log"), reached.current or "the runner", "interrupted", reached, 130
    )
    return interruption_lines(outcome, "pocketrec run --dataset 'my data'", cache=cache)


def test_what_is_kept_and_how_to_go_on() -> None:
    assert _lines(Reached(12, ("ingest", "transform"), "trainer", 7)) == [
        "",
        "INTERRUPTED at trainer after 62 s",
        "kept: 2 of 12 steps, which come from the cache",
        "      training, which goes on after epoch 7",
        "log:  logs/a.log",
        "to go on: pocketrec run --dataset 'my data'",
    ]


def test_of_several_models_the_one_under_way_is_named() -> None:
    lines = _lines(Reached(12, ("ingest",), "trainer", 2, "teacher 1/3: "))
    assert lines[3] == "      training, which goes on after epoch 2 (teacher 1/3)"


def test_without_a_cache_no_step_is_kept() -> None:
    assert "kept: no step, as runtime.cache is off" in _lines(
        Reached(12, ("ingest",), "transform"), cache=False
    )
    assert "kept: no step, as none was over" in _lines(Reached(12, (), "ingest"))


def test_before_the_first_step_nothing_is_said_of_steps() -> None:
    assert _lines(Reached())[1:] == [
        "INTERRUPTED at the runner after 62 s",
        "log:  logs/a.log",
        "to go on: pocketrec run --dataset 'my data'",
    ]
