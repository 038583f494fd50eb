"""``python -m fddkit`` is ``fddkit``."""

import sys

from .cli.arguments import main

sys.exit(main())
