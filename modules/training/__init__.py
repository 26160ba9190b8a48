"""The training loop, its input path and its callbacks."""
