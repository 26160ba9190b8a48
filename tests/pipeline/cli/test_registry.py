"""`pocketrec registry`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.workspace import Workspace
from tests.pipeline.cli.registry_place import workspace_with_versions

HEAVY = ("tensorflow", "tfx", "mlflow", "pandas", "apache_beam", "pyarrow")
LIMIT_SECONDS = 3.0  # of the processor, whatever else the machine does


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return workspace_with_versions(tmp_path, 2)


def run(workspace: Workspace, *words: str) -> int:
    return main(["registry", *words, "--workspace", str(workspace.root)])


def test_list_shows_the_newest_first(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(workspace, "list") == 0
    _, _, newest, oldest = capsys.readouterr().out.splitlines()
    assert newest.split()[:2] == ["2", "champion"]
    assert "cnn" in newest
    assert "0.220000" in newest
    assert oldest.split()[0] == "1"
    assert "champion" not in oldest


def test_list_as_json(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    run(workspace, "list", "--json")
    one, two = json.loads(capsys.readouterr().out)
    assert (one["version"], one["aliases"]) == (1, [])
    assert (two["version"], two["aliases"]) == (2, ["champion"])
    assert two["tags"]["encoder"] == "cnn"


def test_show_tells_tags_files_and_place(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(workspace, "show") == 0
    shown = capsys.readouterr().out
    assert "pocketrec version 2" in shown
    assert f"{'ab' * 32}  int8.tflite" in shown
    assert str(workspace.registry / "artifacts" / "2" / "bundle") in shown
    run(workspace, "show", "1", "--json")
    assert json.loads(capsys.readouterr().out)["version"] == 1


def test_show_tells_the_variants_and_what_was_left_out(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = workspace.registry / "artifacts" / "2" / "bundle"
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["variant_figures"]["int8"].update(
        {"recall_at_10": 0.25, "recall_change_from_float32": -0.0125, "memory_bytes": 2048}
    )
    manifest["variants_left_out"] = {"int4": "it lost too much"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    sizes = {name: (folder / f"{name}.tflite").stat().st_size for name in ("float32", "int8")}
    run(workspace, "show")
    shown = capsys.readouterr().out.splitlines()
    *_, float32, int8, left = shown
    assert float32.split() == ["float32", f"{sizes['float32']:,}", "-", "-", "-", "-"]
    assert int8.split() == ["int8", "(gated)", f"{sizes['int8']:,}", "0.2500", "-0.0125", "-", "2"]
    assert left == "  left out: int4, it lost too much"
    run(workspace, "show", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["variants"] == manifest["variant_figures"]
    assert told["variants_left_out"] == manifest["variants_left_out"]


def test_show_of_a_bundle_from_before_tells_bytes_alone(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    path = workspace.registry / "artifacts" / "1" / "bundle" / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["variant_figures"], manifest["variants_left_out"]
    path.write_text(json.dumps(manifest))
    run(workspace, "show", "1")
    assert capsys.readouterr().out.splitlines()[-1].split()[3:] == ["-"] * 4
    run(workspace, "show", "1", "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["variants"]["int8"] == {
        "file": "int8.tflite",
        "bytes": manifest["files"]["int8.tflite"]["bytes"],
    }
    assert told["variants_left_out"] == {}


def test_promote_and_rollback_move_the_champion(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(workspace, "promote", "1") == 0
    assert capsys.readouterr().out == "version 1 is champion; it was version 2\n"
    run(workspace, "promote", "1")
    assert capsys.readouterr().out == "version 1 is champion already\n"
    assert run(workspace, "rollback", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"champion": 2, "previous": 1}


def test_an_unknown_version_is_one_message_and_status_2(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(workspace, "promote", "7") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("pocketrec: no version or alias '7'")


def test_an_empty_registry_says_how_to_fill_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["registry", "list", "--workspace", str(tmp_path / "none")]) == 2
    assert "`pocketrec run` registers one" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["list"], ["show"], ["promote", "1"], ["rollback"]])
def test_every_action_is_quick_and_light(workspace: Workspace, words: list[str]) -> None:
    script = (
        "import sys, time\n"
        "from pipeline.cli.main import main\n"
        "status = main(sys.argv[1:])\n"
        f"print(status, [name for name in {HEAVY!r} if name in sys.modules], time.process_time())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script, "registry", *words, "--workspace", str(workspace.root)],
        capture_output=True,
        text=True,
        check=True,
    )
    said, seconds = answer.stdout.splitlines()[-1].rsplit(maxsplit=1)
    assert said == "0 []"
    assert float(seconds) < LIMIT_SECONDS
