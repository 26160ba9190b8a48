"""Names of the features that travel between the stages, so that each is spelled once.

Timelines (ExampleGen's output, one `tf.Example` a user and split; T events, oldest first):

| feature | type | shape |
|---|---|---|
| `user_id` | int64 | [1] |
| `movie_id` | int64 | [T], the release's own ids |
| `rating` | float32 | [T], stars |
| `timestamp` | int64 | [T], seconds since 1970 UTC, never falling |
| `first_target` | int64 | [1], index of the first event that may be a target |
| `held_out` | int64 | [1], 1 in the eval and test splits |
| `user_gender`, `user_occupation` | bytes | [0..1], where the release has them |
| `user_age` | int64 | [0..1] |

The same artifact has a split `catalogue`, one example a listed movie: `movie_id` int64 [1],
`title` bytes [1], `genres` bytes [0..], `year` int64 [0..1].

Where several spans are read, two more splits hold what users did in the newest span and in the one
before, for statistics of drift alone: one example a user with events in that span.

| feature | type | shape |
|---|---|---|
| `user_id`, `span`, `events` | int64 | [1], the span's number and the user's events in it |
| `movie` | bytes | [events], the release's ids as text |
| `rating` | float32 | [events] |
| `new_movie` | int64 | [events], 1: no earlier span lists the movie (0 in the span before) |
| `user_gender` ... | | as above |

Windows (Transform's output, one row a window; N = history length, ids of the vocabulary, 0 = none):

| feature | type | shape |
|---|---|---|
| `context_movie_id` | int64 | [N], oldest first, 0 = padding |
| `context_rating` | float32 | [N], 0 at padding |
| `context_timestamp` | int64 | [N], 0 at padding |
| `target_movie_id` | int64 | [N], the movie that follows each position, 0 = not a target |
| `target_rating` | float32 | [N] |
| `target_timestamp` | int64 | [1], time of the window's last target |
| `history_length` | int64 | [1], known events before the last target, not cut at N |
| `held_out` | int64 | [1] |
| `user_id` | int64 | [1] |
| `user_gender_id`, `user_age_id`, `user_occupation_id` | int64 | [1], 0 = not known |
| `seen_movie_id` | int64 | sparse [0..], all known movies before the target; empty in train |

A held-out window has one target, at its last position that is not padding. A held-out target that
is not in the vocabulary keeps its row with `target_movie_id` all 0: it counts as a miss. What the
ids of users' attributes mean stands in `modules.user_attributes`.
"""

USER_ID = "user_id"
MOVIE_ID = "movie_id"
RATING = "rating"
TIMESTAMP = "timestamp"
FIRST_TARGET = "first_target"
HELD_OUT = "held_out"
USER_GENDER = "user_gender"
USER_AGE = "user_age"
USER_OCCUPATION = "user_occupation"

SPAN = "span"
EVENTS = "events"
MOVIE = "movie"
NEW_MOVIE = "new_movie"

TITLE = "title"
GENRES = "genres"
YEAR = "year"

CONTEXT_MOVIE_ID = "context_movie_id"
CONTEXT_RATING = "context_rating"
CONTEXT_TIMESTAMP = "context_timestamp"
TARGET_MOVIE_ID = "target_movie_id"
TARGET_RATING = "target_rating"
TARGET_TIMESTAMP = "target_timestamp"
HISTORY_LENGTH = "history_length"
SEEN_MOVIE_ID = "seen_movie_id"

REQUEST_TIMESTAMP = "request_timestamp"
"""Input of a served model: the moment to recommend for. Windows hold it as `target_timestamp`."""

TOP_PREDICTION_IDS = "top_prediction_ids"
TOP_PREDICTION_SCORES = "top_prediction_scores"

SPLIT_TRAIN = "train"
SPLIT_EVAL = "eval"
SPLIT_TEST = "test"
SPLIT_CATALOGUE = "catalogue"
SPLIT_SPAN_NEWEST = "span_newest"
SPLIT_SPAN_BEFORE = "span_before"

MOVIE_VOCABULARY = "movie_vocabulary"
"""Transform's vocabulary file: line i (from 0) is the movie with vocabulary id i + 1."""

PADDING_ID = 0
