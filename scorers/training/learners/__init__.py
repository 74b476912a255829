"""One file a model: how it learns a target, and what its hyperparameters are."""
