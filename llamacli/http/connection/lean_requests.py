"""requests without the library that it guesses encodings with, a tenth of its import: nothing here asks for a guess.

It does without where none is installed; None in sys.modules makes an import fail as
if it were not (Python's reference, 5.3.1).
"""

import sys
import warnings

GUESSING = [name for name in ("chardet", "charset_normalizer") if name not in sys.modules]


with warnings.catch_warnings():
    # It says what it misses.
    warnings.simplefilter("ignore")
    try:
        sys.modules.update(dict.fromkeys(GUESSING))  # type: ignore[arg-type]
        import requests as requests
    finally:
        for name in GUESSING:
            sys.modules.pop(name, None)
