"""A run as lines: what people and `grep` read, and what machines do."""

import io
import json
import os
from collections.abc import Callable

import pytest

from pipeline.progress import report
from pipeline.progress.journal import Journal, Reached
from pipeline.progress.lines import JsonScreen, PlainScreen

EPOCH = report.Epoch(
    "epoch 3/9  loss 5.1000", 3, 9, {"epoch": 3, "loss": 5.1, "recall_at_10": 0.25}, 12.5
)


def _clock(*moments: float) -> Callable[[], float]:
    return iter(moments).__next__


def _told(journal: Journal) -> None:
    journal.begin("20260101T000000.0", "sample", ["ingest", "trainer"], "run.log")
    journal.start("ingest")
    journal.take_from_cache()
    journal.finish()
    journal.start("trainer")
    journal.told(report.Line("training cnn"))
    journal.told(report.Amount("updates", 4, False, 90))
    journal.told(EPOCH)


def test_a_line_when_a_stage_starts_when_it_ends_and_what_it_says() -> None:
    out = io.StringIO()
    journal = Journal(PlainScreen(out), _clock(0, 1, 1.25, 2, 9.5))
    _told(journal)
    journal.finish()
    assert out.getvalue().splitlines() == [
        "[ 1/2] ingest ...",
        "        ingest: cached, 0.2 s",
        "[ 2/2] trainer ...",
        "training cnn",
        "epoch 3/9  loss 5.1000",
        "        trainer: done, 7.5 s",
    ]


def test_the_stage_under_way_is_the_one_that_fails() -> None:
    out = io.StringIO()
    journal = Journal(PlainScreen(out))
    _told(journal)
    assert journal.reached == Reached(2, ("ingest",), "trainer", 3)
    journal.fail()
    assert out.getvalue().splitlines()[-1].startswith("        trainer: FAILED, ")
    assert journal.reached.over == ("ingest",)
    journal.fail()
    assert "FAILED" not in out.getvalue().splitlines()[-2]


def test_one_json_object_a_line_for_machines() -> None:
    out = io.StringIO()
    journal = Journal(JsonScreen(out), _clock(0, 1, 1.25, 2, 9.5))
    _told(journal)
    journal.fail()
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert all(event.pop("time").endswith("+00:00") for event in events)
    assert events == [
        {
            "event": "run_started",
            "run_id": "20260101T000000.0",
            "dataset": "sample",
            "stages": ["ingest", "trainer"],
            "log": "run.log",
        },
        {"event": "stage_started", "stage": "ingest", "number": 1, "of": 2},
        {"event": "stage_cached", "stage": "ingest", "seconds": 0.25},
        {"event": "stage_started", "stage": "trainer", "number": 2, "of": 2},
        {"event": "message", "text": "training cnn", "stage": "trainer"},
        {
            "event": "epoch",
            "stage": "trainer",
            "epoch": 3,
            "most_epochs": 9,
            "seconds_left": 12.5,
            "whose": "",
            "loss": 5.1,
            "recall_at_10": 0.25,
        },
        {"event": "stage_failed", "stage": "trainer", "seconds": 7.5},
    ]


@pytest.mark.parametrize("screen", [PlainScreen, JsonScreen])
def test_a_reader_that_is_gone_does_not_end_the_run(screen: type[PlainScreen]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        journal = Journal(screen(stream))
        _told(journal)
        journal.close()
        # What could not be written is not tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def test_amounts_of_several_threads_add_up_and_begin_anew_with_each_stage() -> None:
    shown = []

    class Screen(PlainScreen):
        def show(self, event: object) -> None:
            shown.append(event)

    journal = Journal(Screen(io.StringIO()))
    journal.start("ingest")
    journal.told(report.Amount("ratings", 10, True))
    journal.told(report.Amount("ratings", 5, True))
    journal.start("evaluator")
    journal.told(report.Amount("ratings", 7, True))
    assert [event.done for event in shown if hasattr(event, "done")] == [10, 15, 7]


def test_steps_that_nobody_listens_to_print_their_lines_and_keep_amounts_to_themselves(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report.say("training cnn")
    report.epoch(EPOCH)
    report.advance("ratings", 10)
    report.reach("updates", 3, 9)
    captured = capsys.readouterr()
    assert captured.out == "training cnn\nepoch 3/9  loss 5.1000\n"
    assert captured.err == ""
