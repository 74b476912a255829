"""Ground floor: settings, metrics, topics, clients and the local stack. Knows nothing of keywords."""
