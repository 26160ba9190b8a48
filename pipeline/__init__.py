"""Configuration, `create_pipeline()`, the local runner and the command line."""
