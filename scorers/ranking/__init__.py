"""From a pair's features to P(click) and P(purchase | click)."""
