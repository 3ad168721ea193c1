"""What a user would pick instead: simple rows beside the trained ones, on the user's own texts."""
