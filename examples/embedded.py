"""Recommends on a device without a browser: numpy and LiteRT, no TensorFlow, no network.

python embedded.py path/to/bundle "Toy Story (1995)" "The Matrix (1999)"
"""

import sys
import time

from pocketrec_device import Bundle, DeviceError, Recommender

if len(sys.argv) < 3:
    sys.exit("usage: embedded.py BUNDLE TITLE [TITLE ...]")
try:
    recommender = Recommender(Bundle.load(sys.argv[1]))
    history = [recommender.find(title).movie_id for title in sys.argv[2:]]
    started = time.perf_counter()
    movies = recommender.recommend(history, k=5)
except DeviceError as error:
    sys.exit(f"embedded.py: {error}")
for movie in movies:
    print(f"{movie.score:8.3f}  {movie.title}")
print(f"{1000 * (time.perf_counter() - started):.1f} ms, {recommender.variant}")
