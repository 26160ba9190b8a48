"""One validated tree of settings; the lowest layer, imports nothing of the project but errors."""
