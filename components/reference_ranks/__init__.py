"""Ranks of each held-out target under the reference recommenders the gate compares with."""
