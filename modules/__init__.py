"""What standard TFX components load by dotted path, and the models themselves."""
