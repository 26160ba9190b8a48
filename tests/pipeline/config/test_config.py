"""One tree of settings: read whole, overridden by key, refused with the key and the way out."""

from pathlib import Path

import pytest

from pipeline.config.root import CONFIGS_DIR, Config, load_config
from pipeline.config.select import select_config_file
from pipeline.config.variants import converted_variants, further_variants
from pipeline.errors import ConfigError


def _section_keys(section: object) -> dict[str, object]:
    fields = getattr(type(section), "model_fields", None)
    if fields is None:
        return {}
    return {name: _section_keys(getattr(section, name)) for name in fields}


@pytest.mark.parametrize("path", sorted(CONFIGS_DIR.glob("*.yaml")), ids=lambda path: path.name)
def test_examples_are_valid_and_complete(path: Path) -> None:
    import yaml

    config = load_config(path)
    tree = yaml.safe_load(path.read_text(encoding="utf-8"))

    def missing(expected: dict[str, object], given: object, prefix: str) -> list[str]:
        lacking = []
        for key, inner in expected.items():
            if not isinstance(given, dict) or key not in given:
                lacking.append(prefix + key)
            elif isinstance(inner, dict) and inner:
                lacking.extend(missing(inner, given[key], f"{prefix}{key}."))
        return lacking

    assert missing(_section_keys(config), tree, "") == []


def test_the_examples_are_there() -> None:
    assert {"sample.yaml", "ml-1m.yaml", "release.yaml"} <= {
        path.name for path in CONFIGS_DIR.glob("*.yaml")
    }


def test_overrides_apply_in_order_and_parse_as_yaml() -> None:
    config = load_config(
        None,
        [
            "history.length=10",
            "history.length=20",
            "history.stride=5",
            "training.max_minutes=null",
            "conversion.variants=[float32, int8]",
        ],
    )
    assert (config.history.length, config.history.stride) == (20, 5)
    assert config.training.max_minutes is None
    assert config.conversion.variants == ("float32", "int8")


def test_changing_the_encoder_drops_the_settings_of_the_previous_one(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("model: {encoder: {name: lstm, units: 32}}\n")
    config = load_config(file, ["model.encoder.name=cnn", "model.encoder.kernel=4"])
    assert config.model.encoder.name == "cnn"
    assert config.model.encoder.kernel == 4


def test_a_section_that_is_null_can_be_set_by_key() -> None:
    config = load_config(CONFIGS_DIR / "sample.yaml", ["model.rating_head.weight=0.3"])
    assert config.model.rating_head is not None
    assert config.model.rating_head.weight == 0.3
    both = ["training.distillation={teachers: [{}]}", "training.distillation.weight=0.25"]
    distillation = load_config(CONFIGS_DIR / "sample.yaml", both).training.distillation
    assert distillation is not None
    assert distillation.weight == 0.25
    assert len(distillation.teachers) == 1


def test_sections_travel_as_json() -> None:
    config = load_config(None, ["model.encoder.name=bow", "training.ema_decay=0.9"])
    assert Config.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("history.lenght=3", ["history.lenght", "unknown key", "length"]),
        ("history.length=0", ["history.length", "greater than or equal to 1", "got 0"]),
        ("history.stride=51", ["stride (51)", "length (50)"]),
        ("model.encoder.name=rnn", ["model.encoder", "rnn", "'bow', 'cnn'"]),
        ("conversion.gated=int2", ["conversion.gated", "int2", "'float32'"]),
        ("conversion.variants=[int8]", ["variants must hold float32"]),
        ("data.split.eval_start=5", ["eval_start and test_start go together"]),
        ("seed.x=1", ["seed", "valid integer"]),
        ("registry.tracking_uri=vertex:my-project", ["vertex://PROJECT/REGION", "my-project"]),
        (
            "registry={tracking_uri: vertex://p-1/europe-west4, model_name: Pocket}",
            ["registry.model_name 'Pocket'", "lower case"],
        ),
        (
            "registry={tracking_uri: vertex://p-1/europe-west4, artifact_root: s3://b/x}",
            ["registry.artifact_root 's3://b/x'", "gs://BUCKET/FOLDER"],
        ),
        ("nonsense", ["nonsense", "section.key=value"]),
        ("a..b=1", ["a..b", "section.key=value"]),
        ("history=[", ["history=[", "not valid YAML"]),
        ("training.optimizer.learning_rate=.nan", ["learning_rate", "nan"]),
    ],
)
def test_bad_override_names_key_value_and_what_is_allowed(override: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, [override])
    for word in words:
        assert word in str(caught.value)


def test_bad_files_are_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        load_config(missing)
    listing = tmp_path / "list.yaml"
    listing.write_text("- 1\n")
    with pytest.raises(ConfigError, match=r"list\.yaml: must hold a mapping"):
        load_config(listing)
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [")
    with pytest.raises(ConfigError, match=r"broken\.yaml: not valid YAML"):
        load_config(broken)


def test_override_below_a_value_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("history: 3\n")
    with pytest.raises(ConfigError, match="history is a value, not a section"):
        load_config(file, ["history.length=3"])


def test_a_release_with_an_example_of_its_own_takes_it() -> None:
    assert select_config_file(None, "ml-1m").name == "ml-1m.yaml"
    assert select_config_file(None, "/data/ml-1m.zip").name == "ml-1m.yaml"
    assert select_config_file(None, "ml-25m").name == "release.yaml"
    assert select_config_file(None, "sample").name == "sample.yaml"
    assert select_config_file(None, None).name == "sample.yaml"
    assert select_config_file(Path("own.yaml"), "ml-1m") == Path("own.yaml")


def test_settings_of_spans_need_a_pattern() -> None:
    load_config(None, ["dataset=data/{YYYY}-{MM}-{DD}", "data.spans.window=3"])
    with pytest.raises(ConfigError, match=r"data\.spans\.newest \(4\) goes with a pattern"):
        load_config(None, ["dataset=ml-1m", "data.spans.newest=4"])


def test_how_far_each_variant_may_drop() -> None:
    gate = load_config(
        None,
        ["gate.max_drop_from_float32=0.002", "gate.max_drop_of_variant={float16: 0.001}"],
    ).gate
    assert gate.max_drop_of("float16") == 0.001
    # Who is not named may drop as far as the gated variant.
    assert gate.max_drop_of("int4") == 0.002


@pytest.mark.parametrize(
    ("named", "why"),
    [
        ("int3", "no variant of conversion.variants; it can name .*float16"),
        ("float32", "float32 itself"),
        ("int8", "the gated variant, whose limit is gate.max_drop_from_float32"),
    ],
)
def test_a_drop_can_be_set_for_further_variants_alone(named: str, why: str) -> None:
    with pytest.raises(ConfigError, match=f"gate.max_drop_of_variant names '{named}'.*{why}"):
        load_config(None, [f"gate.max_drop_of_variant={{{named}: 0.01}}"])
    with pytest.raises(ConfigError, match=r"gate\.max_drop_of_variant\.float16: .*less than"):
        load_config(None, ["gate.max_drop_of_variant={float16: 2}"])


def test_what_is_judged_beside_the_gated_variant() -> None:
    names = "conversion.variants=[float32, float16, int8]"
    config = load_config(None, [names, "conversion.gated=float16"])
    assert converted_variants(config) == ("float32", "float16", "int8")
    assert further_variants(config) == ("int8",)
    cut = ["model.item_table=elastic", "conversion.budgets=[64KB, 1.5MB]"]
    names_of_all = converted_variants(load_config(None, [names, *cut]))
    assert names_of_all == ("float32", "float16", "int8", "elastic_64kb", "elastic_1536kb")
    alone = load_config(None, ["conversion.gated=float32", "conversion.variants=[float32]"])
    assert further_variants(alone) == ()


@pytest.mark.parametrize(
    ("budgets", "why"),
    [
        ("[64KB]", "cut from an elastic item table; model.item_table is dense"),
        ("[64 pounds]", "'64 pounds' is no size"),
        ("[64KB, 65536]", "budgets must differ"),
    ],
)
def test_budgets_that_cannot_be_kept_are_refused(budgets: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        load_config(None, [f"conversion.budgets={budgets}"])
