"""``python -m mconn.cli``."""

import sys

from mconn.cli import main

sys.exit(main())
