"""The model that ships now, out of the registry, as an artifact that steps can compare with."""
