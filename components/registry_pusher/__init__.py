"""Blessed model to a bundle and a version in the model registry."""
