"""TFX's Trainer, with the catalogue as one more input."""
