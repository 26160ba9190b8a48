"""The curated schema of the timelines, and the tool that renews it."""
