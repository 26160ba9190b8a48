from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from modules.training.checkpoint import CheckpointStore, Progress
from pipeline.errors import DataError


def test_gives_back_what_it_got(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, "abc")
    assert store.load() is None
    arrays: list[npt.NDArray[Any]] = [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.array(7, np.int64),
    ]
    progress = Progress(epoch=2, batch=3, loss_sum=0.1, history=[{"epoch": 1, "loss": 1 / 3}])
    store.save(Progress(epoch=1), [])
    store.save(progress, arrays)
    stored = store.load()
    assert stored is not None
    assert stored[0] == progress
    assert [array.dtype for array in stored[1]] == [np.float32, np.int64]
    np.testing.assert_array_equal(stored[1][0], arrays[0])
    assert [path.name for path in (tmp_path / "abc").iterdir()] == ["state.npz"]


def test_order_of_many_arrays(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, "abc")
    store.save(Progress(), [np.array(index) for index in range(120)])
    stored = store.load()
    assert stored is not None
    assert [int(array) for array in stored[1]] == list(range(120))


# numpy's half-written archive complains when it is collected.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_crash_while_writing_leaves_the_old_one(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, "abc")
    store.save(Progress(epoch=1), [np.array(1)])

    class Unwritable:
        def __array__(self, *_: object) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.save(Progress(epoch=2), [np.array(2), Unwritable()])  # type: ignore[list-item]
    stored = store.load()
    assert stored is not None
    assert stored[0].epoch == 1


@pytest.mark.parametrize("keep", [0, 10, 200])
def test_damage_is_named(tmp_path: Path, keep: int) -> None:
    store = CheckpointStore(tmp_path, "abc")
    store.save(Progress(), [np.zeros(100)])
    path = store.folder / "state.npz"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"damaged checkpoint.*delete .*abc"):
        store.load()


def test_a_run_that_another_process_trains_is_waited_for(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, "abc")
    child = (
        "import pathlib, sys\n"
        "from modules.training.checkpoint import CheckpointStore, Progress\n"
        "store = CheckpointStore(pathlib.Path(sys.argv[1]), 'abc')\n"
        "print('waits', flush=True)\n"
        "with store.held():\n"
        "    print(store.load()[0].step, flush=True)\n"
    )
    with store.held():
        other = subprocess.Popen(
            [sys.executable, "-c", child, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert other.stdout is not None
        assert other.stdout.readline() == "waits\n"
        store.save(Progress(step=7), [])
    assert other.communicate(timeout=60)[0] == "7\n"


def test_remove(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path, "abc")
    store.remove()
    store.save(Progress(), [])
    store.remove()
    assert store.load() is None
    assert list(tmp_path.iterdir()) == []
