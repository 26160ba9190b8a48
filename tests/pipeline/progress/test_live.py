"""The live display on a real terminal of a given size."""

import textwrap

import pytest

from tests.pipeline.progress.terminal import on_terminal, screen

STAGES = ["movielens_example_gen", "transform", "trainer", "tflite_converter", "registry_pusher"]

START = f"""
import sys
from pipeline.progress import report
from pipeline.progress.journal import Journal
from pipeline.progress.screens import screen_for
journal = Journal(screen_for()(sys.stdout))
journal.say("loading TensorFlow and TFX ...")
journal.begin("20260101T000000.0", "sample", {STAGES}, "workspace/logs/20260101T000000.0.log")
journal.start("movielens_example_gen")
journal.told(report.Amount("ratings written", 59358, True))
journal.finish()
journal.start("transform")
journal.take_from_cache()
journal.finish()
journal.start("trainer")
journal.say("training cnn on 6,029 windows of 20, 1,784 movies, 192,704 parameters")
figures = {{"epoch": 3, "loss": 5.12345, "recall_at_10": 0.52}}
journal.told(report.Epoch("epoch 3/12", 3, 12, figures, 61.0))
journal.told(report.Amount("updates", 60, False, 240))
"""
INTERRUPTED = f"{START}\njournal.close()\n"
FINISHED = START + textwrap.dedent("""
    journal.finish()
    for stage in ("tflite_converter", "registry_pusher"):
        journal.start(stage)
        journal.finish()
    journal.close()
    """)


def test_stages_with_time_figures_and_a_bar_at_80_columns() -> None:
    sent, status = on_terminal(INTERRUPTED, 80)
    assert status == 0
    shown = screen(sent)
    assert max(map(len, shown)) <= 80
    assert shown[0].split() == ["PocketRec", "sample", "run", "20260101T000000.0", "0:00"]
    assert len(shown[0]) == 80
    assert shown[2].split() == ["✓", "movielens_example_gen", "0.0", "s", "59,358", "ratings",
                                "written"]  # fmt: skip
    assert shown[3].split() == ["✓", "transform", "cached"]
    assert shown[4].split()[1:] == ["trainer", "0:00", "epoch", "3/12", "loss", "5.1235",
                                    "recall@10", "0.5200"]  # fmt: skip
    assert shown[5].split() == ["·", "tflite_converter"]
    assert shown[8].endswith("25% at most 1:01 left")
    assert shown[9] == "  training cnn on 6,029 windows of 20, 1,784 movies, 192,704 parameters"
    assert shown[10] == "log: workspace/logs/20260101T000000.0.log"
    assert not any(shown[11:])


def test_the_last_frame_stays_and_the_cursor_comes_back() -> None:
    sent, _ = on_terminal(FINISHED, 80)
    shown = [line for line in screen(sent) if line]
    assert [line.split()[1] for line in shown[1:-1]] == STAGES
    assert shown[-1].startswith("log: ")
    assert sent.rindex("\x1b[?25h") > sent.rindex("\x1b[?25l")


@pytest.mark.parametrize(("end", "word"), [("fail", "FAILED"), ("interrupt", "stopped")])
def test_a_stage_that_did_not_end_well_is_marked_with_a_word(end: str, word: str) -> None:
    sent, _ = on_terminal(f"{START}\njournal.{end}()\njournal.close()\n", 80)
    assert screen(sent)[4].split()[:3] == ["✗", "trainer", word]


def test_a_narrow_terminal_cuts_lines_and_wraps_none() -> None:
    sent, _ = on_terminal(INTERRUPTED, 50)
    shown = screen(sent)
    assert max(map(len, shown)) <= 50
    assert [line.split()[1] for line in shown[2:7]] == STAGES


def test_a_low_terminal_shows_the_stages_around_the_current_one() -> None:
    sent, _ = on_terminal(INTERRUPTED, 80, lines=11)
    shown = screen(sent)
    assert len(shown) <= 11
    text = "\n".join(shown)
    assert "trainer" in text
    assert "3 more" in text
    assert "movielens_example_gen" not in text


def test_no_color_means_none() -> None:
    sent, _ = on_terminal(INTERRUPTED, 80, environment={"NO_COLOR": "1"})
    assert "\x1b[32m" not in sent
    coloured, _ = on_terminal(INTERRUPTED, 80)
    assert "\x1b[32m" in coloured
    assert screen(sent)[2:4] == screen(coloured)[2:4]


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_move_its_cursor_gets_lines(term: str) -> None:
    sent, _ = on_terminal(INTERRUPTED, 80, environment={"TERM": term})
    assert "\x1b" not in sent
    assert "[ 3/5] trainer ..." in sent


def test_a_display_that_is_abandoned_gives_the_terminal_back() -> None:
    program = f"{START}\nimport os\njournal.abandon('to go on: pocketrec run')\nos._exit(130)\n"
    sent, status = on_terminal(program, 80)
    assert status == 130
    assert sent.endswith("\x1b[?25h\r\nto go on: pocketrec run\r\n")
