"""What is ingested and how it is split."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from pipeline.config.base import Section
from pipeline.config.spans import DriftConfig, SpansConfig


class MalformedConfig(Section):
    """What happens to rows that break the format or the release's own rules."""

    policy: Literal["fail", "skip"] = Field(
        "fail", description="fail: stop with file, line and content; skip: drop and count"
    )
    max_share: float = Field(
        0.001, ge=0, le=1, description="with skip: most rows that may be dropped, as a share"
    )


class SplitConfig(Section):
    """How timelines are divided into train, eval and test."""

    strategy: Literal["leave_last_out", "temporal", "by_user"] = Field(
        "leave_last_out",
        description=(
            "leave_last_out: last event is test, second last eval; temporal: a date cut; "
            "by_user: some users are never trained on (cold start)"
        ),
    )
    eval_start: int | None = Field(
        None, ge=0, description="temporal: first second of eval (unix time); default: from shares"
    )
    test_start: int | None = Field(
        None, ge=0, description="temporal: first second of test (unix time); default: from shares"
    )
    eval_share: float = Field(
        0.1, gt=0, lt=0.5, description="temporal: share of events; by_user: share of users"
    )
    test_share: float = Field(
        0.1, gt=0, lt=0.5, description="temporal: share of events; by_user: share of users"
    )
    targets_per_user: int = Field(
        10, ge=1, description="temporal and by_user: most held-out targets a user, the last ones"
    )

    @model_validator(mode="after")
    def _cuts_in_order(self) -> SplitConfig:
        if (self.eval_start is None) != (self.test_start is None):
            raise ValueError("eval_start and test_start go together: give both or neither")
        if (
            self.eval_start is not None
            and self.test_start is not None
            and not self.eval_start < self.test_start
        ):
            raise ValueError(
                f"eval_start ({self.eval_start}) must be before test_start ({self.test_start})"
            )
        return self


class DataConfig(Section):
    """Ingestion of a MovieLens release."""

    min_ratings_per_movie: int = Field(
        5, ge=1, description="movies with fewer ratings are dropped, before the split"
    )
    min_ratings_per_user: int = Field(
        5, ge=1, description="users with fewer ratings left are dropped, before the split"
    )
    malformed: MalformedConfig = MalformedConfig()
    split: SplitConfig = SplitConfig()
    user_buckets: int = Field(
        16, ge=1, le=4096, description="groups of users that are sorted and written together"
    )
    spans: SpansConfig = SpansConfig()
    drift: DriftConfig = DriftConfig()
