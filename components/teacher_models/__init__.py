"""Models that were trained before, as an artifact that a student's training can learn from."""
