"""Reads what the gate needs from a converter's Model artifact.

Layout: `Format-Serving/tflite` (the gated variant), `variants/<name>.tflite`,
`movie_vocabulary.txt` (one movie id a line, line i from 0 is vocabulary id i + 1), and
`conversion.json` with the history that the model takes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from tfx.dsl.io import fileio

from components.reference_ranks.replay import HistoryRules, Vocabulary
from modules.evaluation.litert import TopKModel
from modules.evaluation.ranking import IntArray
from pipeline.errors import GateError

GATED = "Format-Serving/tflite"
VOCABULARY = "movie_vocabulary.txt"
CONVERSION = "conversion.json"


def variant_file(name: str) -> str:
    """Returns the path of a variant inside the artifact."""
    return f"variants/{name}.tflite"


FLOAT32 = variant_file("float32")


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """A converted model with what is needed to ask it.

    Attributes:
        uri: The artifact's.
        vocabulary: The movies that ship with it.
        rules: What it takes as history.
        not_made: Why there is no file of a variant, by its name.
    """

    uri: str
    vocabulary: Vocabulary
    rules: HistoryRules
    not_made: Mapping[str, str]

    @classmethod
    def read(cls, uri: str) -> ServedModel:
        """Reads an artifact.

        Args:
            uri: Of the artifact.

        Raises:
            OSError: A file is missing.
            ValueError: A file is not what it should be; names file and content.
        """
        vocabulary = posixpath.join(uri, VOCABULARY)
        lines = _read(vocabulary).decode("ascii").split()
        try:
            movie_ids = np.array([int(line) for line in lines], np.int64)
        except ValueError as error:
            raise ValueError(f"{vocabulary}: not a list of movie ids: {error}") from None
        conversion = posixpath.join(uri, CONVERSION)
        try:
            report: Mapping[str, Any] = json.loads(_read(conversion))
            history = report["history"]
            rules = HistoryRules(int(history["length"]), float(history["min_rating"]))
            not_made = dict(report.get("not_made", {}))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{conversion}: needs history.length and history.min_rating ({error!r})"
            ) from None
        return cls(uri, Vocabulary(movie_ids), rules, not_made)

    def load(self, file: str) -> TopKModel:
        """Loads one of the model's files: `GATED`, `FLOAT32` or another variant's.

        Raises:
            OSError: It is missing.
            ValueError: LiteRT cannot load it, or its signature is not the device's.
        """
        path = posixpath.join(self.uri, file)
        return TopKModel(_read(path), name=path)

    def load_variants(self, names: Sequence[str]) -> dict[str, TopKModel]:
        """Loads variants, those left out that the converter could not make.

        Raises:
            GateError: A file is missing without a reason, or is not what a device could run.
        """
        found = {}
        for name in names:
            if name in self.not_made:
                continue
            try:
                found[name] = self.load(variant_file(name))
            except (OSError, ValueError) as error:
                raise GateError(
                    f"variant {name!r} cannot be judged: {error}. Convert the model again"
                ) from error
        return found

    def check_candidate(self, trained_on: IntArray) -> None:
        """Makes sure that what is gated is what would ship.

        Args:
            trained_on: int64 [movies], the movies of Transform's vocabulary, in order.

        Raises:
            GateError: The model ships with another vocabulary than the one it was trained with, so
                that a device would show the wrong movies; or the gated file is none of the variants
                that ship.
        """
        shipped = self.vocabulary.movie_ids
        if not np.array_equal(shipped, trained_on):
            common = min(len(shipped), len(trained_on))
            differs = np.flatnonzero(shipped[:common] != trained_on[:common])
            line = int(differs[0]) if len(differs) else common
            raise GateError(
                f"{posixpath.join(self.uri, VOCABULARY)} is not the vocabulary that the model was "
                f"trained with: {len(shipped)} movies instead of {len(trained_on)}, first "
                f"difference in line {line + 1}; a device would show the wrong movies. Convert the "
                "model again"
            )
        variants = sorted(fileio.glob(posixpath.join(self.uri, "variants", "*.tflite")))
        gated = hashlib.sha256(_read(posixpath.join(self.uri, GATED))).digest()
        if gated not in [hashlib.sha256(_read(path)).digest() for path in variants]:
            raise GateError(
                f"{posixpath.join(self.uri, GATED)} is none of the variants that would ship "
                f"({', '.join(posixpath.basename(path) for path in variants)}). Convert the model "
                "again"
            )


def _read(path: str) -> bytes:
    if not fileio.exists(path):
        raise FileNotFoundError(f"{path} is missing")
    with fileio.open(path, "rb") as file:
        return file.read()
