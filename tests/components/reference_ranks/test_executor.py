from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.reference_ranks.component import ReferenceRanks
from components.reference_ranks.rows import history_segments
from components.reference_ranks.timelines import read_timelines
from modules.evaluation.ranking import MISS
from pipeline.config.delivery import GateConfig
from pipeline.errors import DataError, GateError
from tests.modules.evaluation.gate_bench import (
    World,
    int_feature,
    table_model,
    timeline,
    write_examples,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World.make(tmp_path_factory.mktemp("world"), users=60)


@pytest.fixture(scope="module")
def good(world: World) -> Path:
    return world.model("good", world.scores())


def rows(path: str) -> list[tf.train.Example]:
    (file,) = Path(path, "Split-test").iterdir()
    records = tf.data.TFRecordDataset(str(file), compression_type="GZIP").as_numpy_iterator()
    return [tf.train.Example.FromString(record) for record in records]


def values(examples: list[tf.train.Example], name: str) -> list[int]:
    return [example.features.feature[name].int64_list.value[0] for example in examples]


def test_windows_keep_their_features_and_order_and_gain_ranks(world: World, good: Path) -> None:
    output = world.rank(good)
    assert output.split_names == '["test"]'
    ranked = rows(output.uri)
    before = rows(str(world.root / "windows"))
    assert len(ranked) == len(before) == 60
    for old, new in zip(before, ranked, strict=True):
        kept = {name: new.features.feature[name] for name in old.features.feature}
        assert kept == dict(old.features.feature)
    assert set(values(ranked, "catalogue_size")) == {60}
    assert set(values(ranked, "rank_blessed")) == {0}
    # The successor of the last movie ranks first, wherever the target is that.
    follows = [world.successor[walk[-2]] == walk[-1] for walk in world.histories]
    ranks = np.array(values(ranked, "rank_float32"))
    assert (ranks[follows] == 1).all()
    assert (ranks[~np.array(follows)] > 1).all()


def test_each_variant_is_ranked_by_its_own_file(world: World, good: Path) -> None:
    # Knows no successor, so that it ranks by nothing but chance.
    poor = world.scores(forgotten=1.0)
    candidate = world.model(
        "variants",
        world.scores(),
        further={
            "float16": table_model(world.scores(), world.length),
            "int4": table_model(poor, world.length),
        },
        not_made={"int8_full": "it takes no int8 input"},
    )
    names = ["int4", "float16", "int8_full"]
    ranked = rows(world.rank(candidate, variants=names).uri)
    assert values(ranked, "rank_variant_float16") == values(ranked, "rank_float32")
    assert set(values(ranked, "rank_variant_int8_full")) == {0}
    alone = world.model("poor", poor)
    expected = values(rows(world.rank(alone).uri), "rank_float32")
    assert values(ranked, "rank_variant_int4") == expected
    assert expected != values(ranked, "rank_float32")
    assert "rank_variant_int4" not in rows(world.rank(good).uri)[0].features.feature


@pytest.mark.parametrize("content", [None, b"no flatbuffer at all"])
def test_a_variant_that_is_damaged_stops_the_run(world: World, content: bytes | None) -> None:
    further = {} if content is None else {"int4": content}
    candidate = world.model(f"damaged {content!r}", world.scores(), further=further)
    with pytest.raises(GateError, match=r"variant 'int4' cannot be judged: .*int4\.tflite"):
        world.rank(candidate, variants=["int4"])


def test_popularity_is_that_of_the_train_split(world: World, good: Path) -> None:
    ranked = rows(world.rank(good).uri)
    train = np.bincount(
        np.concatenate([walk[:-2] for walk in world.histories]), minlength=world.movies + 1
    )
    for walk, rank in zip(world.histories, values(ranked, "rank_popularity"), strict=True):
        *seen, target = walk
        unseen = [m for m in range(1, world.movies + 1) if m not in seen and m != target]
        assert rank == 1 + sum(train[m] >= train[target] for m in unseen)


def test_the_model_itself_as_the_blessed_one_ranks_alike(world: World, good: Path) -> None:
    ranked = rows(world.rank(good, blessed=good).uri)
    assert values(ranked, "rank_blessed") == values(ranked, "rank_float32")
    assert min(values(ranked, "rank_blessed")) == 1
    ignored = rows(world.rank(good, blessed=good, gate=GateConfig(ignore_blessed=True)).uri)
    assert set(values(ignored, "rank_blessed")) == {0}


def test_same_input_gives_the_same_bytes(world: World, good: Path) -> None:
    one, two = (
        next(Path(world.rank(good, blessed=good).uri, "Split-test").iterdir()) for _ in range(2)
    )
    assert one.read_bytes() == two.read_bytes()


def test_segments_of_history() -> None:
    assert history_segments(np.array([1, 9, 10, 49, 50, 199, 200])).tolist() == [
        "1-9", "1-9", "10-49", "10-49", "50-199", "50-199", "200+",
    ]  # fmt: skip


def test_no_test_windows_stop_the_run(tmp_path: Path) -> None:
    empty = World.make(tmp_path, users=20)
    write_examples(tmp_path / "windows/Split-test/data.gz", [])
    with pytest.raises(GateError, match="no test windows"):
        empty.rank(empty.model("good", empty.scores()))


def test_no_known_training_event_stops_the_run(tmp_path: Path) -> None:
    world = World.make(tmp_path, users=20)
    write_examples(tmp_path / "timelines/Split-train/data.gz", [timeline(1, [999_999], [1])])
    with pytest.raises(DataError, match="no event of the train split"):
        world.rank(world.model("good", world.scores()))


def test_an_unknown_target_is_a_miss(tmp_path: Path) -> None:
    world = World.make(tmp_path, users=20)
    windows = rows(str(tmp_path / "windows"))
    windows[0].features.feature["target_movie_id"].int64_list.value[:] = [0] * world.length
    features = [dict(example.features.feature) for example in windows]
    write_examples(tmp_path / "windows/Split-test/data.gz", features)
    ranked = rows(world.rank(world.model("good", world.scores())).uri)
    for name in ("rank_popularity", "rank_recent_popularity", "rank_float32"):
        assert values(ranked, name)[0] == MISS
    segment = ranked[0].features.feature["popularity_segment"].bytes_list.value
    assert list(segment) == [b"unknown"]


def test_timelines_are_read_in_user_order_from_any_files(tmp_path: Path) -> None:
    told = timeline(5, [1, 2], [10, 20])
    told["user_age"] = int_feature(25)
    told["user_gender"] = tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"M"]))
    write_examples(tmp_path / "b.gz", [told, timeline(2, [], [])])
    write_examples(tmp_path / "a.gz", [timeline(9, [3], [30], first_target=1)])
    found = read_timelines([str(tmp_path / "b.gz"), str(tmp_path / "a.gz")])
    assert found.user_ids.tolist() == [2, 5, 9]
    assert found.offsets.tolist() == [0, 0, 2, 3]
    assert found.movie_ids.tolist() == [1, 2, 3]
    assert found.timestamps.tolist() == [10, 20, 30]
    assert found.first_targets.tolist() == [0, 0, 1]
    assert found.rows.tolist() == [1, 1, 2]
    assert found.attributes.tolist() == [[0, 0, 0], [2, 3, 0], [0, 0, 0]]
    assert read_timelines([]).user_ids.tolist() == []


def test_component_takes_no_blessed_model() -> None:
    inputs = ReferenceRanks.SPEC_CLASS.INPUTS
    assert inputs["blessed"].optional
    assert not inputs["candidate"].optional
