"""Custom TFX components, one package each; pure functions behind thin adapters."""
