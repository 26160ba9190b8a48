from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.notebooks.jupyter import NOTEBOOKS


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_stored_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code
    for cell in code:
        assert cell.outputs == []
        assert cell.execution_count is None


def test_both_notebooks_are_there() -> None:
    assert [path.name for path in sorted(NOTEBOOKS.glob("*.ipynb"))] == [
        "data_validation.ipynb",
        "model_analysis.ipynb",
    ]
