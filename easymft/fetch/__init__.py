"""What others publish, checked against its hash."""
