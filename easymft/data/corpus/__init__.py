"""The corpus: what a row is, its checks, its splits."""
