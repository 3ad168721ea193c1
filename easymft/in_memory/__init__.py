"""The method on Python lists: no recipe, no run folder."""
