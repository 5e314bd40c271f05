"""``python -m ntklib`` is the command ``ntklib``."""

import sys

from ntklib.lab.cli import main

if __name__ == "__main__":
    sys.exit(main())
