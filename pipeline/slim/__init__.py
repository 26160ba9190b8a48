"""Bundles for any budget, cut from the bundle of an elastic model."""
