"""`python -m bot`: the harborline command, for child processes."""

import sys

from bot.wiping import wipe_what_is_freed
from vault.environment import without_secrets

if __name__ == "__main__":
    wipe_what_is_freed(sys.argv[1:])  # here already: what comes next takes seconds, and would be done twice

    with without_secrets():  # its croniter runs the program `file` while it is imported
        import procrastinate  # noqa: F401 - so that nothing imports it later, outside of this

    from bot.cli import main

    sys.exit(main())
