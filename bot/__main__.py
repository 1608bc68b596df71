"""`python -m bot`: the harborline command, for child processes."""

import sys

from bot.wiping import wipe_what_is_freed

if __name__ == "__main__":
    wipe_what_is_freed(sys.argv[1:])  # here already: what comes next takes seconds, and would be done twice

    from bot.cli import main

    sys.exit(main())
