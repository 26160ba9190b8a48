"""The gate that stops a run whose data are not what the schema says."""
