"""`python -m simulator.world`."""

import sys

from simulator.world.command import main

if __name__ == "__main__":  # a process that is spawned imports this module too
    sys.exit(main())
