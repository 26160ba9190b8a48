"""What training minimises: one module a loss."""
