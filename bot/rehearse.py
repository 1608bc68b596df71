"""`harborline rehearse`: play a conversation in the terminal, and record it as a story."""

import sys
from pathlib import Path
from typing import Final

from bot.context import Context
from bot.errors import CommandFailed
from bot.script import read_script
from dialogs.marked import BadFile
from dialogs.rehearsal import Act, Beat, Rehearsal, Story, describe, rehearsal_line, write_story

_ACTS: Final = {
    "/start": Act(starts=True),
    "/silence": Act(silent=True),
    "/rest": Act(rests=True),
    "/hangup": Act(hangs_up=True),
    "/photo": Act(shares=""),
}
_HELP: Final = (
    "Write what the person writes. Also: /press STEP:CHOICE, /danger WORDS (triage saw danger), /start, /silence, "
    "/rest, /hangup, /photo. An empty line or the end of the input ends the rehearsal.\n"
)


async def run(context: Context) -> None:
    """Play until the input ends."""
    arguments = context.arguments
    try:
        script = read_script(context.settings.harborline_home, name=arguments.flow)
    except BadFile as error:
        raise CommandFailed(f"The flow cannot be played: {error}", status=2) from None
    flow, phrases = script.flow, script.phrases
    if arguments.lang not in phrases.languages:
        raise CommandFailed(f"This language is not complete: choose one of {', '.join(phrases.languages)}.", status=2)
    line = rehearsal_line(phrases, arguments.lang, arguments.channel)
    rehearsal, beats = Rehearsal(flow=flow, phrases=phrases, line=line), []
    sys.stdout.write(_HELP)
    while act := _next_act():
        rehearsal, effects = rehearsal.hears(act)
        text = rehearsal.render(effects)
        did = tuple(map(describe, effects))
        sys.stdout.write(f"{text}\n\n    {'; '.join(did) or 'nothing'}\n")
        beats.append(Beat(person=act, house=did, text=text if arguments.lang == "en" else ""))
    if arguments.record and beats:
        story = Story(
            about="Say in one sentence what this story shows.",
            flow=arguments.flow,
            language=arguments.lang,
            channel=arguments.channel,
            turns=tuple(beats),
        )
        Path(arguments.record).write_text(write_story(story), encoding="utf-8")  # noqa: ASYNC240 - nobody else waits
        sys.stdout.write(f"Recorded in {arguments.record}.\n")


def _next_act() -> Act | None:
    sys.stdout.write("> ")
    sys.stdout.flush()
    typed = sys.stdin.readline().strip()
    if not typed:
        return None
    word, _, rest = typed.partition(" ")
    if word == "/press":
        return Act(presses=rest)
    if word == "/danger":
        return Act(says=rest, urgent=True)
    return _ACTS.get(word) or Act(says=typed)
