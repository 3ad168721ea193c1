"""BERT (S): one model per domain, trained on that domain alone."""

from easymft.methods.method import Method

SINGLE = Method("single", "BERT (S)", build=None, fine_tunes=True)
