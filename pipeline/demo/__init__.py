"""The browser demo: the built app and a bundle, put together, served or exported."""
