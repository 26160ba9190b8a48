"""The whole of an elastic table, from which files for any budget are cut. Without TensorFlow."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import numpy.typing as npt

from modules.models.item_tables.elastic_layout import Grid, Layout, steps_of
from modules.models.item_tables.few_bits import NORMAL_STEPS, SMALLEST_STEP, largest_code
from pipeline.errors import RegistryError

FILE = "elastic.npz"
"""Its name in a SavedModel's extra assets, in the converter's artifact and in a bundle."""

_FORMAT = 1
# As `modules.models.layers.unit_rows` has it.
_NORM_EPSILON = 1e-6
# Where training rounds nothing.
_DEFAULT_BITS = 8

FloatArray = npt.NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class TableStep:
    """Neighbouring rows that keep as many blocks, as a device stores them.

    Attributes:
        start: The first row.
        codes: int8 [rows, numbers kept].
        step: What a code of 1 stands for.
        bits: Of a code: 2, 4 or 8.
    """

    start: int
    codes: npt.NDArray[np.int8]
    step: np.float32
    bits: int

    @property
    def bytes(self) -> int:
        """What the codes take in a file."""
        return -(-self.codes.size * self.bits // 8)


@dataclasses.dataclass(frozen=True)
class GroupTable:
    """The table of one group of users.

    Attributes:
        weights: float32 [movies + 1, width]: rows before they are cut and scaled.
        gains: float32 [blocks]: lengths of rows that keep 1, 2, ... blocks.
        shares: float64 [segments, blocks]: the order of cells, see `shares_in_order`.
    """

    weights: FloatArray
    gains: FloatArray
    shares: npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class ElasticMaster:
    """See the module.

    Attributes:
        grid: Segments and blocks.
        bits: Of a stored number; None where training rounded nothing.
        unit_length: Whether rows are scaled to length one before the gains.
        groups: The tables: everybody's, then those of groups of users, if there are any.
    """

    grid: Grid
    bits: int | None
    unit_length: bool
    groups: tuple[GroupTable, ...]

    @property
    def width(self) -> int:
        """Of a whole row."""
        return int(self.groups[0].weights.shape[1])

    def rows(self, layout: Layout, group: int = 0) -> FloatArray:
        """Returns float32 [movies + 1, width], before rounding; zeros where a block is left out."""
        table, per_block = self.groups[group], self.width // self.grid.blocks
        segment = self.grid.segment_of_row
        kept = np.array(layout)[segment]
        block = np.arange(self.width) // per_block
        is_kept = (block < kept[:, np.newaxis]).astype(np.float32)
        rows = table.weights * is_kept
        if self.unit_length:
            square = np.sum(np.square(rows), axis=1, keepdims=True)
            rows = rows / np.sqrt(square + np.float32(_NORM_EPSILON))
        result: FloatArray = (rows * table.gains[kept - 1][:, np.newaxis]).astype(np.float32)
        return result

    def steps(self, layout: Layout, group: int = 0) -> list[TableStep]:
        """Returns a device's tables: rows that keep as many blocks share a step of rounding."""
        rows = self.rows(layout, group)
        bits, per_block = self.bits or _DEFAULT_BITS, self.width // self.grid.blocks
        top = largest_code(bits)
        steps = []
        for start, end, kept in steps_of(layout, self.grid):
            part = rows[start:end, : kept * per_block]
            if bits in NORMAL_STEPS:
                step = NORMAL_STEPS[bits] * np.sqrt(np.mean(np.square(part)))
            else:
                step = np.abs(part).max() / top
            step = np.float32(max(step, SMALLEST_STEP))
            codes = np.clip(np.rint(part / step), -top, top).astype(np.int8)
            steps.append(TableStep(start, codes, step, bits))
        return steps

    def to_bytes(self) -> bytes:
        """Returns a file; the same table gives the same bytes."""
        content = io.BytesIO()
        np.savez(
            content,
            format=np.int64(_FORMAT),
            borders=np.array(self.grid.borders, np.int64),
            blocks=np.int64(self.grid.blocks),
            bits=np.int64(self.bits or 0),
            unit_length=np.bool_(self.unit_length),
            **{
                field.name: np.stack([getattr(table, field.name) for table in self.groups])
                for field in dataclasses.fields(GroupTable)
            },
        )
        return content.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, source: str) -> ElasticMaster:
        """Reads what `to_bytes` gave.

        Args:
            content: The file.
            source: What to call it in errors.

        Raises:
            RegistryError: It is no such file, or one of another version.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            version = int(arrays["format"])
            if version != _FORMAT:
                raise RegistryError(
                    f"{source}: its format is {version}, this version of PocketRec reads {_FORMAT}"
                )
            names = [field.name for field in dataclasses.fields(GroupTable)]
            tables = zip(*(arrays[name] for name in names), strict=True)
            return cls(
                grid=Grid(tuple(arrays["borders"].tolist()), int(arrays["blocks"])),
                bits=int(arrays["bits"]) or None,
                unit_length=bool(arrays["unit_length"]),
                groups=tuple(GroupTable(*table) for table in tables),
            )
        except (OSError, ValueError, KeyError) as error:
            raise RegistryError(f"{source}: not an elastic table ({error})") from None
