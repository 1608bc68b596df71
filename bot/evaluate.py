"""`harborline evaluate`: how well messages in a file are understood, with the levels that triage would give."""

import json
import sys
from pathlib import Path

from bot.context import Context
from bot.errors import CommandFailed
from triage.assess import assess
from triage.policy import TriagePolicy
from understanding.meaning import Meaning
from understanding.training.evaluate import NotThisEngine, TableError, predict, read_table, write_predictions
from understanding.training.measure import as_json, as_text, measure


async def run(context: Context) -> None:
    """Read every row, write the predictions, print the summary."""
    arguments, rasa_url = context.arguments, context.settings.rasa_url
    if arguments.engine == "rasa" and not rasa_url:
        raise CommandFailed("RASA_URL is empty: start a Rasa (.ci/rasa serve) and set its address.", status=2)
    try:
        rows = read_table(Path(arguments.file))
        predictions = await predict(rows, engine=arguments.engine, level_of=_level, rasa_url=rasa_url, progress=_told)
    except TableError as error:
        raise CommandFailed(f"The file cannot be evaluated: {error}", status=2) from None
    except NotThisEngine as error:
        raise CommandFailed(f"{error}: look whether it runs at RASA_URL, and try again.") from None
    except OSError:
        raise CommandFailed("The file cannot be read: check its path and its permissions.", status=2) from None
    if arguments.out:
        write_predictions(Path(arguments.out), rows, predictions)
    measures = measure(rows, predictions)
    sys.stdout.write((json.dumps(as_json(measures), indent=1) if arguments.json else as_text(measures)) + "\n")


_EVERY = 200  # rows between two lines of progress: about five seconds


def _told(done: int, of: int) -> None:
    """Progress on standard error, so that the summary can still be piped; nothing for what takes a moment."""
    if of > _EVERY and (done % _EVERY == 0 or done == of):
        sys.stderr.write(f"{done} of {of} messages read\n")


_POLICY = TriagePolicy()


def _level(meaning: Meaning) -> str:
    """The level triage gives to a first message that means this."""
    return assess(meaning, {}, None, _POLICY).level.word
