"""The one-command front: searches, tests and predicts through the workflow.

    python main.py -f def.py -d data -r results -y -e -p 'test.h5*' -ep 27 -bs 100

The same as `dlutil run`; `python main.py --help` lists the flags.
"""

import sys

from dlutil_core.cli.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
