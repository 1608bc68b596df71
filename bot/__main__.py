"""`python -m bot`: the harborline command, for child processes."""

import sys

from bot.cli import main

sys.exit(main())
