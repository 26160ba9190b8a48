"""Programs that measure; each writes JSON into `results/`, and `render` makes the tables."""
