"""Is the ranker better than its baselines?"""
