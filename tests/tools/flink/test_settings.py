"""The configuration that Flink is started with."""

from pathlib import Path

import yaml

from tools.flink.settings import Settings, task_manager_options, write_configuration


def test_java_is_limited_to_what_flink_counts_with(tmp_path: Path) -> None:
    settings = Settings(slots=2, task_heap_mib=500, network_mib=300, workers_mib=50, rest_port=9000)
    write_configuration(tmp_path / "conf", settings)
    tree = yaml.safe_load((tmp_path / "conf" / "config.yaml").read_text())
    memory = tree["taskmanager"]["memory"]
    assert memory["task"]["heap"]["size"] == "500m"
    assert memory["task"]["off-heap"]["size"] == "50m"
    assert memory["framework"] == {"heap": {"size": "256m"}, "off-heap": {"size": "128m"}}
    assert memory["network"] == {"min": "300m", "max": "300m"}
    options = task_manager_options(settings)
    assert "-Xmx756m" in options  # 256 + 500
    assert "-XX:MaxDirectMemorySize=478m" in options  # 128 + 300 + 50
    assert tree["taskmanager"]["numberOfTaskSlots"] == 2
    assert tree["rest"]["bind-port"] == "9000"


def test_a_pipeline_is_spread_over_all_slots() -> None:
    settings = Settings(task_managers=3, slots=2, job_port=10, workers_port=11)
    options = settings.beam_args()
    assert "--parallelism=6" in options
    assert "--job_endpoint=localhost:10" in options
    assert "--environment_config=localhost:11" in options
    assert (settings.artifact_port, settings.expansion_port) == (9, 8)
    assert Settings.from_json(settings.to_json()) == settings
