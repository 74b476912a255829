"""Features in, suggestions out."""
