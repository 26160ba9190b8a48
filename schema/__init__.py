"""The curated schema of the timelines."""
