"""Score a trained model: ``python evaluate.py -checkpoint output/...``. Same as ``vidsgg
evaluate``."""

import sys
from functools import partial

from vidsgg.cli.evaluate import main
from vidsgg.cli.main import run

if __name__ == "__main__":
    sys.exit(run(partial(main, prog="evaluate.py"), sys.argv[1:]))
