"""A corpus, explored: how much there is of what, how it sounds, what tells its classes apart; one page of it."""

from earmark.exploring.exploration import Exploration, Options, describe, explore

__all__ = ["Exploration", "Options", "describe", "explore"]
