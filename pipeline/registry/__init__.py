"""The model registry: versions of a model, their bundles, and which one is champion."""
