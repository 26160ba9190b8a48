"""A small elastic model of random weights, and its bundle."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import keras
import numpy as np

from components.registry_pusher.bundle import BundleSource, write_bundle
from components.registry_pusher.conversion import Conversion, VariantReport
from components.tflite_converter import worker
from components.tflite_converter.assets import read_assets
from modules.models import serving
from modules.models.item_tables.elastic import ElasticTable
from modules.models.recommender import Recommender
from pipeline.config.model import ModelConfig
from pipeline.config.root import Config
from pocketrec_device.bundle import Movie

MOVIES, LENGTH, TOP_K, WIDTH = 300, 6, 20, 16
TABLE = {"name": "elastic", "blocks": 4, "segments": 3, "fall": 0.5, "bits": 4}


@dataclasses.dataclass(frozen=True)
class Toy:
    """A model and what was made of it.

    Attributes:
        model: The trained model's stand-in.
        variants: Converted files by name.
        assets: Files beside them.
    """

    model: Recommender
    variants: dict[str, bytes]
    assets: dict[str, bytes]

    @property
    def table(self) -> ElasticTable:
        """Its item table."""
        (table,) = self.model.item_tables
        assert isinstance(table, ElasticTable)
        return table


def make(
    folder: Path,
    *,
    groups: int = 0,
    variants: tuple[str, ...] = (),
    dim: int = WIDTH,
    width: int = WIDTH,
    scoring: str = "cosine",
) -> Toy:
    """Makes the model, exports and converts it below a folder."""
    keras.utils.set_random_seed(3)
    config = ModelConfig.model_validate(
        {
            "encoder": {"name": "bow", "hidden": (dim,)},
            "dim": dim,
            "scoring": scoring,
            "item_table": {**TABLE, "width": width},
        }
    )
    model = Recommender(config, history_length=LENGTH, movies=MOVIES)
    (elastic,) = model.item_tables
    assert isinstance(elastic, ElasticTable)
    elastic.trainable_variables[1].assign([1.4, 1.2, 1.1, 1.0])
    if groups:
        own = elastic.snapshot()
        # The same rows for other movies.
        elastic.groups = tuple(
            dataclasses.replace(
                own,
                weights=np.concatenate(
                    [own.weights[:1], np.roll(own.weights[1:], 7 * group, axis=0)]
                ),
            )
            for group in range(groups)
        )
        # Movies belong to the groups in turn.
        turn = np.arange(MOVIES + 1)[:, np.newaxis] % groups == np.arange(groups)
        elastic.affinities = np.where(turn, 100, -100).astype(np.int8)
        elastic.affinities[0] = 0
    saved = folder / "saved"
    serving.export(model, str(saved), top_k=TOP_K)
    files = {}
    for name in ("float32", *variants):
        worker.main([str(saved), name, str(folder / f"{name}.tflite")])
        files[name] = (folder / f"{name}.tflite").read_bytes()
    return Toy(model, files, read_assets(saved / serving.ASSETS_FOLDER))


def bundle(toy: Toy, folder: Path, **changes: Any) -> Path:
    """Writes the model's bundle as `folder`/bundle; `changes` are fields of `BundleSource`."""
    variants = changes.pop("variants", toy.variants)
    parity = {"top10_overlap": 1.0, "recall_at_10": 0.25, "keras_recall_at_10": 0.25}
    fields: dict[str, Any] = {
        "conversion": Conversion(
            history_length=LENGTH,
            padding="left",
            min_history=1,
            min_rating=0.0,
            top_k=TOP_K,
            gated="int8",
            variants={
                name: VariantReport(bytes=len(file), sha256="0" * 64, parity=parity)
                for name, file in variants.items()
            },
        ),
        "variants": variants,
        "movies": tuple(
            Movie(number, 1000 + number, f"Film {number} (2000)", (), 2000, 900 - number)
            for number in range(1, MOVIES + 1)
        ),
        "metrics": {"overall": {"recall_at_10": 0.25, "recall_at_10_elastic_8kb": 0.2}},
        "gate": [],
        "lineage": {"pipeline": "toy", "artifacts": {}},
        "config": Config(),
        "dataset": "sample",
        "data_counts": {"users": 600},
        "model_name": "pocketrec",
        "assets": toy.assets,
    }
    return write_bundle(BundleSource.model_validate({**fields, **changes}), folder / "bundle")


def histories(count: int) -> np.ndarray:  # type: ignore[type-arg]
    """int32 [count, LENGTH], of all lengths, padded on the left; movies of all segments."""
    drawn = np.random.default_rng(8).integers(1, MOVIES, (count, LENGTH), endpoint=True)
    known = np.arange(LENGTH) >= LENGTH - 1 - np.arange(count)[:, np.newaxis] % LENGTH
    return np.where(known, drawn, 0).astype(np.int32)
