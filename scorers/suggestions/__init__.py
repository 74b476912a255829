"""From scores to a list that is worth telling."""
