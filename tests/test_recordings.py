"""Recordings: a language without a good voice is played to callers, from files that tell nothing by their address."""

import shutil
import wave
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.app import recordings_of
from bot.errors import CommandFailed
from bot.recordings import Recordings, digest_of, found, placeholders
from bot.settings import read_settings
from bot.voice import make
from bot.wording import Wording
from channels.messages import Answer, ChannelName, Utterance
from dialogs.aloud import sheet
from dialogs.conversation import Conversation, Mode
from dialogs.events import Ask, Effect, GiveCode, Option, ReadAnswers, Say
from dialogs.phrases import Phrases
from tests.conftest import need
from tests.houses import LINE, a_line
from vault.keys import init_key_ring, read_key_ring

CODE = "1234567890123452"
PLAIN, DISCREET = Mode.PLAIN, Mode.DISCREET


@pytest.fixture
def espeak() -> str:
    """Path of espeak-ng."""
    return need("espeak-ng", shutil.which("espeak-ng"))


def recording(folder: Path, tag: str, name: str, content: bytes = b"RIFF") -> Path:
    path = folder / tag / "voice" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def played(phrases: Phrases, tmp_path: Path) -> Recordings:
    """All of Spanish."""
    for name in sheet(phrases, "es", a_line().facts(phrases.lexicon()).values):
        recording(tmp_path, "es", f"{name}.wav")
    return Recordings([tmp_path], {"es"}, b"secret")


def answer(
    phrases: Phrases, recordings: Recordings, *effects: Effect, language: str = "es", mode: Mode = PLAIN
) -> Answer:
    wording = Wording(
        phrases=phrases,
        line=a_line().facts(phrases.lexicon()),
        conversation=Conversation(language=language, mode=mode),
        channel=ChannelName.VOICE,
        code=CODE,
        waiting=("We can meet at six.",),
        recordings=recordings,
    )
    worded = wording.answer(effects)
    assert worded is not None
    return worded


def names(spoken: tuple[Utterance, ...], recordings: Recordings, phrases: Phrases) -> list[str]:
    """Utterances by the names of their recordings; "" for a pause, words where they are read."""
    known = {
        recordings.address("es", name): name for name in sheet(phrases, "es", a_line().facts(phrases.lexicon()).values)
    }
    return [known[part.recording] if part.recording else part.text for part in spoken]


def test_a_question_is_played_with_its_choices(phrases: Phrases, played: Recordings) -> None:
    question = Ask(phrase="safe", options=(Option(id="safe:yes", key="1", label="label.yes"),))
    assert names(answer(phrases, played, question).aloud, played, phrases) == [
        "name.line",
        "safe.plain.2",
        "label.yes.plain",
        "voice.press.plain.2",
        "digit.1",
    ]
    twin = names(answer(phrases, played, question, mode=DISCREET).aloud, played, phrases)
    assert twin[:2] == ["name.cover", "safe.discreet.2"]


def test_a_code_is_played_digit_by_digit_with_a_pause_after_each_group(phrases: Phrases, played: Recordings) -> None:
    said = names(answer(phrases, played, GiveCode(phrase="code.give")).aloud, played, phrases)
    digits = [name.removeprefix("digit.") for name in said if not name.startswith("code.give")]
    assert digits == [*"1234", "", *"5678", "", *"9012", "", *"3452"]


def test_a_member_s_words_are_read_and_never_recorded(phrases: Phrases, played: Recordings) -> None:
    said = answer(phrases, played, ReadAnswers()).aloud
    assert [part.text for part in said if not part.recording] == ["We can meet at six."]
    assert played.address("es", "name.line") in [part.recording for part in said]


def test_a_sentence_that_nobody_recorded_is_read(phrases: Phrases, tmp_path: Path) -> None:
    said = answer(phrases, Recordings([tmp_path], {"es"}, b"secret"), Say(phrase="voice.repeat")).aloud
    assert said == (Utterance(text=phrases.text("voice.repeat", "es", PLAIN, {}), language="es"),)


def test_each_language_says_its_own_name_recorded_or_read(phrases: Phrases, played: Recordings) -> None:
    languages = (
        Option(id="language:en", key="1", label="language:en"),
        Option(id="language:es", key="2", label="language:es"),
    )
    said = answer(phrases, played, Ask(phrase="language", options=languages), language="en").aloud
    assert [part.language for part in said] == ["en", "en", "es", "es", "es"]
    assert said[1].text == "English: press 1."
    assert names(said[2:], played, phrases) == ["language", "voice.press.plain.2", "digit.2"]


def test_a_line_that_records_nothing_is_read_as_ever(phrases: Phrases) -> None:
    assert answer(phrases, Recordings(), Say(phrase="voice.repeat")).aloud == ()


def test_all_that_is_said_comes_back_from_storage(phrases: Phrases, played: Recordings) -> None:
    """A repeated webhook gets its first answer again, recordings and all."""
    said = answer(phrases, played, GiveCode(phrase="code.give"))
    assert Answer.from_json(said.to_json()) == said


# Addresses and files ----------------------------------------------------------------------------------------------


def test_an_address_tells_neither_the_sentence_nor_its_mode(tmp_path: Path) -> None:
    for name in ("danger.now.plain", "danger.now.discreet"):
        recording(tmp_path, "es", f"{name}.wav")
    ours = Recordings([tmp_path], {"es"}, b"secret")
    plain, twin = (ours.address("es", f"danger.now.{mode}") for mode in Mode)
    assert len(plain) == len(twin) == len("/voice/") + 32
    assert plain != twin
    assert not {"es", "danger", "now", "plain", "discreet"} & set(plain.replace("/", ".").split("."))
    other = Recordings([tmp_path], {"es"}, b"another")
    assert other.address("es", "danger.now.plain") != plain, "nobody can work it out who does not know the secret"


def test_whoever_knows_the_phone_account_cannot_work_an_address_out(tmp_path: Path) -> None:
    recording(tmp_path / "locales", "es", "danger.now.plain.wav")
    settings = read_settings({"HARBORLINE_HOME": str(tmp_path), "TWILIO_AUTH_TOKEN": "token"})
    line = a_line(LINE.replace("languages:", "voices: {es: recorded}\nlanguages:"))
    assert line.recorded == {"es"}
    init_key_ring(tmp_path / "keys")
    told = recordings_of(settings, line, read_key_ring(tmp_path / "keys")).address("es", "danger.now.plain")
    assert told
    guessed = Recordings([tmp_path / "locales"], {"es"}, b"token").address("es", "danger.now.plain")
    assert told != guessed


async def test_the_address_that_a_call_is_told_gives_the_recording_and_no_other_does(tmp_path: Path) -> None:
    recording(tmp_path, "es", "safe.plain.mp3", b"music")
    gone = recording(tmp_path, "es", "way.plain.wav")
    recordings = Recordings([tmp_path], {"es"}, b"secret")
    gone.unlink()
    app = web.Application()
    app.add_routes(recordings.routes())
    async with TestClient(TestServer(app)) as client:
        reply = await client.get(recordings.address("es", "safe.plain"))
        assert (reply.status, await reply.read(), reply.content_type) == (200, b"music", "audio/mpeg")
        for path in (recordings.address("es", "way.plain"), f"/voice/{'0' * 32}", "/voice/safe.plain.mp3", "/voice/.."):
            assert (await client.get(path)).status == 404


def test_the_line_s_own_recording_stands_before_the_built_in_one(tmp_path: Path) -> None:
    built_in = recording(tmp_path / "house", "es", "safe.plain.wav")
    own = recording(tmp_path / "home", "es", "safe.plain.mp3")
    other = recording(tmp_path / "house", "es", "way.plain.wav")
    paths = found([tmp_path / "home", tmp_path / "house"], "es")
    assert paths == {"safe.plain": own, "way.plain": other}
    assert built_in not in paths.values()


@pytest.mark.usefixtures("espeak")
def test_placeholders_are_marked_and_a_human_s_recording_is_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "es" / "voice"
    words = {"safe.plain": "¿Puede hablar sin peligro ahora?", "digit.1": "1"}
    assert make(folder, words, "es") == 2
    assert "made_by: espeak-ng placeholder" in (folder / "voice.yml").read_text()
    assert placeholders(found([tmp_path], "es")) == set(words)
    with wave.open(str(folder / "safe.plain.wav")) as file:
        assert 1 < file.getnframes() / file.getframerate() < 6, "seconds"
        assert file.getframerate() <= 16000
    human = recording(tmp_path, "es", "safe.plain.wav", b"a human voice")
    assert placeholders(found([tmp_path], "es")) == {"digit.1"}
    assert make(folder, words, "es") == 1
    assert human.read_bytes() == b"a human voice"
    digest = digest_of(folder / "digit.1.wav")
    make(folder, {**words, "digit.1": "uno, despacio"}, "es")
    assert digest_of(folder / "digit.1.wav") != digest, "words that changed are said anew"


@pytest.mark.usefixtures("espeak")
def test_a_language_that_the_machine_cannot_speak_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="record the words"):
        make(tmp_path / "xx" / "voice", {"safe.plain": "words"}, "nosuchvoice")


def test_without_the_machine_one_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandFailed, match="apt-get install espeak-ng"):
        make(tmp_path / "es" / "voice", {"safe.plain": "words"}, "es")


def test_everything_a_caller_may_hear_is_on_the_sheet_in_both_modes(phrases: Phrases) -> None:
    words = sheet(phrases, "ar", a_line().facts(phrases.lexicon()).values)
    assert {"way.plain", "way.discreet", "digit.0", "digit.9", "name.line", "name.cover", "language"} <= set(words)
    assert not [name for name in words if name.startswith(("page.", "words.", "level.")) or ".sms" in name]
    assert not [name for name, said in words.items() if "{" in said or not said.strip()]


def test_a_line_names_the_languages_that_are_played() -> None:
    assert a_line(f"{LINE}voices: {{es: recorded, en: provider}}\n").recorded == {"es"}
