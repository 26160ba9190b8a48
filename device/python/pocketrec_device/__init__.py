"""Runs a PocketRec bundle on a device with numpy and LiteRT alone."""
