"""`python -m minigrad ...` is `minigrad ...`."""

import sys

from minigrad.cli import main

if __name__ == "__main__":
    sys.exit(main())
