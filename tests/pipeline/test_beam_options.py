"""Options of Beam: the examples are Beam's own words, and what is none is refused by name."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from pipeline import beam_options
from pipeline.config.root import CONFIGS_DIR, load_config
from pipeline.config.select import load_selected
from pipeline.errors import ConfigError
from tools.flink.settings import Settings

EXAMPLES = sorted((CONFIGS_DIR / "beam").glob("*.yaml"))


def _options(path: Path) -> tuple[str, ...]:
    return load_config(CONFIGS_DIR / "sample.yaml", overlays=[path]).runtime.beam_args


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_beam_knows_every_option_of_the_examples(path: Path) -> None:
    from apache_beam.options.pipeline_options import PipelineOptions

    given = _options(path)
    assert len(given) > 4
    beam_options.check(given, ask_job_server=False)
    # Counted by Beam itself: nothing is left over, each option is set to what was written.
    names = {word.removeprefix("--").partition("=")[0] for word in given}
    parsed = PipelineOptions(list(given)).get_all_options(retain_unknown_options=True)
    known = PipelineOptions([]).get_all_options()
    assert parsed.keys() == known.keys()
    changed = {name for name in parsed if parsed[name] != known[name]}
    # `--no_use_public_ips` sets `use_public_ips`.
    assert changed == {name.removeprefix("no_") for name in names}


def test_the_examples_are_there() -> None:
    assert [path.stem for path in EXAMPLES] == ["dataflow", "flink", "spark"]


def test_the_flink_example_means_the_local_cluster() -> None:
    assert _options(CONFIGS_DIR / "beam" / "flink.yaml") == tuple(Settings().beam_args())


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--runer=DirectRunner"], r"--runer is no option .* did you mean --runner\?"),
        (
            ["--runner=DataflowRunner", "--machine_kind=n2"],
            "--machine_kind is no option of Beam",
        ),
        (["--direct_num_workers=two"], "--direct_num_workers: invalid int value: 'two'"),
        (["--runner=Flnk"], "--runner=Flnk cannot be used: Unexpected pipeline runner"),
    ],
)
def test_what_is_no_option_is_named(given: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=rf"runtime\.beam_args: .*{message}"):
        beam_options.check(given, ask_job_server=True)


def test_a_job_server_that_is_not_there() -> None:
    with socket.create_server(("localhost", 0)) as taken:
        port = taken.getsockname()[1]
    given = ["--runner=PortableRunner", f"--job_endpoint=localhost:{port}"]
    with pytest.raises(ConfigError, match=rf"localhost:{port} .*python -m tools.flink start"):
        beam_options.check(given, ask_job_server=True)
    # Where it runs elsewhere it is not asked.
    beam_options.check([*given, "--faster_copy"], ask_job_server=False)


@pytest.mark.parametrize("word", ["runner=DirectRunner", "-r", "--parallelism 2", "2"])
def test_words_that_beam_would_drop(word: str) -> None:
    with pytest.raises(ConfigError, match=r"runtime\.beam_args.* must look like --name=value"):
        load_config(None, [f"runtime.beam_args=['{word}']"])


def test_an_overlay_changes_what_it_holds_and_is_overridden(tmp_path: Path) -> None:
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text("training: {optimizer: {beta_2: 0.5}}\nmodel: {encoder: {name: bow}}\n")
    second.write_text("seed: 5\ndata: {min_ratings_per_user: 3}\n")
    base = load_config(CONFIGS_DIR / "sample.yaml")
    config = load_selected(None, "sample", ["seed=6"], [first, second])
    assert config.model.encoder.name == "bow"
    assert config.training.optimizer.beta_2 == 0.5
    learning_rate = base.training.optimizer.learning_rate
    assert config.training.optimizer.learning_rate == learning_rate
    assert config.data.min_ratings_per_user == 3
    assert config.data.min_ratings_per_movie == base.data.min_ratings_per_movie
    assert config.seed == 6
    second.write_text("seed: {a: 1}\n")
    with pytest.raises(ConfigError, match=r"b\.yaml: seed is a value, not a section"):
        load_selected(None, "sample", [], [second])
    second.write_text("sed: 1\n")
    with pytest.raises(ConfigError, match=r"sample\.yaml under .*b\.yaml: 1 setting"):
        load_selected(None, "sample", [], [second])
