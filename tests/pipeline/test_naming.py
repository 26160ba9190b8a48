"""Names of pipelines: plain, and apart where models must not be compared."""

from pipeline.config.root import load_config
from pipeline.naming import dataset_label, pipeline_name


def test_labels_of_data_sets_are_short_and_plain() -> None:
    assert dataset_label("ml-1m") == "ml-1m"
    assert dataset_label("/data/My Ratings.zip") == "my-ratings"
    assert dataset_label("/data/ÄÖ") == "data"
    assert dataset_label("s3://bucket/ratings-{SPAN}/v{VERSION}") == "ratings"
    assert dataset_label("/logs/week/{YYYY}-{MM}-{DD}.zip") == "week"


def test_another_split_is_another_pipeline() -> None:
    assert pipeline_name(load_config(None, ["dataset=ml-1m"])) == "pocketrec-ml-1m"
    temporal = load_config(None, ["dataset=ml-1m", "data.split.strategy=temporal"])
    assert pipeline_name(temporal) == "pocketrec-ml-1m-temporal"
    by_user = load_config(None, ["data.split.strategy=by_user"])
    assert pipeline_name(by_user) == "pocketrec-sample-by-user"
