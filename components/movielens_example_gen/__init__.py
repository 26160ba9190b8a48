"""The MovieLens release files to timelines ExampleGen."""
