"""Encoders and the recommender model around them."""
