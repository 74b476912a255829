"""What a feature is called, where it lies, and how Feast reads it."""
