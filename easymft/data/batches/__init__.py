"""Batches: token ids once per corpus, then padded little and in an order that can be resumed."""
