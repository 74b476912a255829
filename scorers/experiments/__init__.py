"""Experiments: from the plan to the decision whether suggestions raise sales."""
