"""``python -m vidsgg`` is the same program as ``vidsgg``."""

import sys

from vidsgg.cli.main import main

sys.exit(main())
