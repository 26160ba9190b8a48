"""Names of what the reference ranks add to a test window, and of the segments it is sliced by.

| feature | type | shape |
|---|---|---|
| `rank_popularity`, `rank_recent_popularity`, `rank_float32`, `rank_blessed` | int64 | [1] |
| `rank_variant_<name>`, of each further variant | int64 | [1] |
| `popularity_segment` | bytes | [1], how popular the target is in training |
| `history_segment` | bytes | [1], how many events are known before the target |
| `target_genre` | bytes | [genres], of the target; one entry in all cases |
| `target_decade` | bytes | [1], of the target's release, e.g. `1990s` |
| `catalogue_size` | int64 | [1], movies in the vocabulary |

The Evaluator's extractor adds the gated model's own:

| feature | type | shape |
|---|---|---|
| `rank_model` | int64 | [1] |
| `recommended_movie_id` | int64 | [10], vocabulary ids shown, 0 = none |

Ranks count from 1; `ranking.MISS` = not ranked, `ranking.NO_REFERENCE` = nothing to rank with.
"""

RANK_POPULARITY = "rank_popularity"
RANK_RECENT_POPULARITY = "rank_recent_popularity"
RANK_FLOAT32 = "rank_float32"
RANK_BLESSED = "rank_blessed"
RANK_MODEL = "rank_model"
RECOMMENDED_MOVIE_ID = "recommended_movie_id"
CATALOGUE_SIZE = "catalogue_size"
POPULARITY_SEGMENT = "popularity_segment"
HISTORY_SEGMENT = "history_segment"
TARGET_GENRE = "target_genre"
TARGET_DECADE = "target_decade"

RECOMMENDED_K = 10
"""How many recommendations the catalogue coverage looks at."""


def rank_of_variant(variant: str) -> str:
    """Names the feature with the ranks under a variant other than the gated one and float32."""
    return f"rank_variant_{variant}"
