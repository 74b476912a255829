"""From a product to the keywords that might sell it."""
