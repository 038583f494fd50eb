"""``python -m fddkit`` is ``fddkit``."""

import sys

from .cli import main

sys.exit(main())
