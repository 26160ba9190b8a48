"""The dashboard: one HTML file about one pipeline run, readable offline."""
