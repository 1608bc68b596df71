"""`harborline voice`: what is to be recorded for a language, and placeholders made by a machine until somebody has.

Made with espeak-ng, in the home of the line. A file that a human put there is never overwritten.
"""

import array
import subprocess
import sys
import tempfile
import wave
from pathlib import Path
from typing import Final

import yaml

from bot.context import Context
from bot.errors import CommandFailed
from bot.line import Line, read_line
from bot.recordings import FOLDER, MANIFEST, PLACEHOLDER, digest_of, found, placeholders
from bot.script import Script, read_script
from dialogs.aloud import sheet
from dialogs.marked import BadFile

SPEED: Final = "130"  # words a minute: somebody who is afraid, on a bad line, must be able to follow
_SECONDS: Final = 60
_VOICES: Final = {"zh": "cmn", "en": "en-us"}  # where espeak-ng has another name
_HEAD: Final = (
    "# Made by a machine, to be replaced: read the words of `harborline voice list` aloud and put each file here,\n"
    "# named as its words are, as .wav or .mp3. A file that is not the one named below is never overwritten.\n"
)


async def run(context: Context) -> None:
    """List what is to be recorded, or make what is missing."""
    arguments, home = context.arguments, context.settings.harborline_home
    try:
        line = read_line(context.settings.line_file)
        script = read_script(home, line.languages)
        if arguments.lang not in line.languages:
            raise CommandFailed(
                f"The line does not speak this language: choose one of {', '.join(line.languages)}.", status=2
            )
        words = words_of(script, line, arguments.lang)
        if arguments.action == "list":
            sys.stdout.writelines(f"{name}\t{said}\n" for name, said in words.items())
            return
        folder = home / "locales" / arguments.lang / FOLDER
        made = make(folder, words, _VOICES.get(arguments.lang, arguments.lang))
    except FileNotFoundError as error:
        raise CommandFailed(f"{error.filename} is missing: write it, or set HARBORLINE_HOME to its folder.") from None
    except BadFile as error:
        raise CommandFailed(str(error)) from None
    size = sum(path.stat().st_size for path in folder.glob("*.wav")) / 1e6
    sys.stdout.write(
        f"{made} placeholders made in {folder}, {size:.1f} MB with those that were there. They sound like a machine: "
        f"read the words of `harborline voice list --lang {arguments.lang}` aloud and replace them.\n"
    )


def words_of(script: Script, line: Line, tag: str) -> dict[str, str]:
    """Everything that is to be recorded in a language of this line, with the words to read."""
    return sheet(script.phrases, tag, line.facts(script.phrases.lexicon()).values)


def make(folder: Path, words: dict[str, str], voice: str) -> int:
    """Make what is missing, and anew what a machine made; gives how many. Raises CommandFailed without espeak-ng."""
    folder.mkdir(parents=True, exist_ok=True)
    there = found([folder.parent.parent], folder.parent.name)
    human = set(there) - placeholders(there)
    made = {}
    for name, said in words.items():
        if name not in human:
            path = folder / f"{name}.wav"
            _speak(said, voice, path)
            made[path.name] = digest_of(path)
    manifest = yaml.safe_dump({"made_by": PLACEHOLDER, "files": made}, sort_keys=True)
    (folder / MANIFEST).write_text(_HEAD + manifest, encoding="utf-8")
    return len(made)


def _speak(words: str, voice: str, path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.wav"
        try:  # the words by standard input: nothing of a phrase is taken for an option
            done = subprocess.run(  # noqa: S603 - fixed program, no shell
                ["espeak-ng", "-b", "1", "-v", voice, "-s", SPEED, "-w", str(raw), "--stdin"],  # noqa: S607 - where it lies differs
                input=words.encode(),
                capture_output=True,
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise CommandFailed("espeak-ng is missing: install it, on Debian with apt-get install espeak-ng.") from None
        if done.returncode or not raw.exists():
            raise CommandFailed(f"espeak-ng has no voice {voice}: record the words of `harborline voice list` instead.")
        _halved(raw, path)


def _halved(raw: Path, path: Path) -> None:
    """At half the rate: a telephone carries no more than 8000 samples a second anyway."""
    with wave.open(str(raw)) as file:
        samples = array.array("h", file.readframes(file.getnframes()))
        rate = file.getframerate()
    if sys.byteorder == "big":
        samples.byteswap()
    half = array.array("h", ((a + b) // 2 for a, b in zip(samples[::2], samples[1::2], strict=False)))
    if sys.byteorder == "big":
        half.byteswap()
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate // 2)
        file.writeframes(half.tobytes())
