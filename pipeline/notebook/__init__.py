"""What notebooks show, drawn without a network."""
