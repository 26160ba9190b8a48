"""Metrics, extractors and the gate that the Evaluator runs."""
