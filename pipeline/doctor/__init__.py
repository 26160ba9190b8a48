"""What of an environment and a workspace is in the way of a run: small checks, quickly made."""
