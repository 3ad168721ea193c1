"""Which labels may be wrong, what repeats, what to label next: `--mode audit`, `easymft.audit`."""
