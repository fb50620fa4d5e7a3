"""Train a model: ``python train.py -mode predcls -model sttran -data_path data/action_genome``.
Same as ``vidsgg train``."""

import sys
from functools import partial

from vidsgg.cli.main import run
from vidsgg.cli.train import main

if __name__ == "__main__":
    sys.exit(run(partial(main, prog="train.py"), sys.argv[1:]))
