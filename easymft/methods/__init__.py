"""The training flow of every method: typicality, phases, checkpoints, evaluation."""
