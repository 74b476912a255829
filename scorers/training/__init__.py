"""From history to a bundle."""
