"""Events in, features and signals out."""
