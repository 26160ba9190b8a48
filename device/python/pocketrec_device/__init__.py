"""Runs a PocketRec bundle on a device with numpy and LiteRT alone.

bundle = Bundle.load("path/to/bundle")
for movie in Recommender(bundle).recommend(["Toy Story (1995)", 260], k=5):
    print(movie.title, movie.score)
"""

from pocketrec_device.bundle import Bundle
from pocketrec_device.errors import (
    BudgetError,
    BundleError,
    DeviceError,
    HistoryError,
    TitleError,
)
from pocketrec_device.recommender import Recommendation, Recommender

__all__ = [
    "BudgetError",
    "Bundle",
    "BundleError",
    "DeviceError",
    "HistoryError",
    "Recommendation",
    "Recommender",
    "TitleError",
]
