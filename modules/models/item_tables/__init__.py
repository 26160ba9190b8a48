"""Ways to keep the vectors of movies, by the name in the configuration."""
