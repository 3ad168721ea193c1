"""`--mode init`: a recipe for a file that nobody described yet."""

from easymft.init.recipe import init_recipe, recipe_of

__all__ = ["init_recipe", "recipe_of"]
