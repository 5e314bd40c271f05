"""``python -m ntklib`` is the command ``ntklib``."""

import sys

from ntklib.cli import main

if __name__ == "__main__":
    sys.exit(main())
