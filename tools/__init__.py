"""Programs around the project that no part of it imports."""
