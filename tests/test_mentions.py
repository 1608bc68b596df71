"""What a text says of itself is found with few mistakes: what nobody said must not be believed.

`tests/mentions/development.tsv` was looked at while the words were written, `heldout.tsv` was only measured. A row that
takes something back is judged by that alone: whether its new day or number is found as well is no mistake.
"""

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understanding.embedded import Embedded
from understanding.meaning import Cue, Engine, Fact
from understanding.mentions import mentions_in
from understanding.phrasebook import MentionWordsError, read_mentions
from understanding.understand import Understanding

TABLE = read_mentions()
DATA = Path(__file__).parent / "mentions"
SAYS = {
    "me": "who.me", "adult": "who.adult", "minor": "who.minor", "several": "who.several", "still": "still.yes",
    "over": "still.no", "today": "when.today", "week": "when.week", "earlier": "when.earlier", "papers": "papers.kept",
    "wages": "wages.unpaid", "where": "where", **{cue.value: cue.value for cue in Cue},
}  # fmt: skip


def found(text: str, *languages: str) -> set[str]:
    """What is found, as "fact.value" and cues."""
    mentions, cues = mentions_in(text, languages, TABLE)
    return {f"{m.fact}.{m.value}" if m.value else m.fact.value for m in mentions} | {cue.value for cue in cues}


@dataclass(slots=True)
class Counted:
    """How often what was found was there, was not there, and was missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """Share of what was found that is there."""
        return self.right / (self.right + self.wrong)

    @property
    def recall(self) -> float:
        """Share of what is there that was found."""
        return self.right / (self.right + self.missed)


def measure(file: str) -> dict[str, Counted]:
    """By language, and over all."""
    counts: dict[str, Counted] = {"all": Counted()}
    with (DATA / file).open(encoding="utf-8") as rows:
        for row in csv.DictReader(rows, delimiter="\t", quoting=csv.QUOTE_NONE):
            wanted = set() if row["says"] == "-" else {SAYS[word] for word in row["says"].split()}
            seen = found(row["text"], row["lang"])
            wrong = seen - wanted
            if Cue.CORRECTION in wanted:
                wrong &= {cue.value for cue in Cue}
            for count in (counts["all"], counts.setdefault(row["lang"], Counted())):
                count.right += len(wanted & seen)
                count.wrong += len(wrong)
                count.missed += len(wanted - seen)
    return counts


@pytest.mark.parametrize(
    ("file", "precision", "recall", "least"), [("development.tsv", 0.97, 0.95, 0.95), ("heldout.tsv", 0.96, 0.68, 0.92)]
)
def test_what_nobody_said_is_not_believed_and_much_of_what_was_said_is_found(
    file: str, precision: float, recall: float, least: float, record_property: Callable[[str, object], None]
) -> None:
    counts = measure(file)
    for language, count in counts.items():
        record_property(f"{file} {language}", f"precision {count.precision:.3f} recall {count.recall:.3f}")
        assert count.precision >= least, language
    assert counts["all"].precision >= precision
    assert counts["all"].recall >= recall


@pytest.mark.parametrize("language", ["en", "es", "fr", "ar", "hi", "zh"])
def test_every_language_has_words_for_every_fact_and_cue(language: str) -> None:
    rules = {rule.result for some in TABLE.books[language].rules.values() for rule in some}
    assert {result[0] for result in rules if isinstance(result, tuple)} == set(Fact)
    assert {result for result in rules if isinstance(result, Cue)} == set(Cue)


@given(st.text(max_size=300), st.sampled_from(["en", "ar", "hi", "zh"]))
def test_no_text_makes_it_fall_over(text: str, language: str) -> None:
    assert len(mentions_in(text, (language,), TABLE)[0]) <= len(Fact)


def test_a_text_full_of_what_looks_like_names_holds_nobody_up() -> None:
    """Every name asks whether capitals say anything in the text: that is found out once, not once a name."""
    short, long = ("A A in " * 1425)[:2500], ("A A in " * 1425)[:10_000]
    seconds = [min(_cost(text) for _ in range(3)) for text in (short, long)]
    assert seconds[1] < 10 * seconds[0], "four times the text, at most about four times the work"


def _cost(text: str) -> float:
    began = process_time()
    mentions_in(text, ("fr", "en"), TABLE)
    return process_time() - began


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("lol he locked me in again", "joke"),
        ("haha the boss keeps all our passports", "joke"),
        ("what if they take my passport", "papers.kept"),
        ("i am 15 minutes away", "who.minor"),
        ("how do i escape from here", "still.no"),
        ("a journalist told me about you, please help", "press"),
    ],
)
def test_a_sign_of_earnest_or_doubt_takes_it_back(text: str, absent: str) -> None:
    assert absent not in found(text, "en")


def test_a_mistake_in_the_words_names_file_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "xx").mkdir()
    (tmp_path / "xx" / "mentions.yml").write_text(
        "mentions:\n  when.never: {say: [never]}\n  where: {say: ['.. here']}\n"
    )
    with pytest.raises(MentionWordsError) as error:
        read_mentions(tmp_path)
    assert "xx/mentions.yml:2:3" in str(error.value)
    assert "xx/mentions.yml:3:17" in str(error.value)


async def test_a_meaning_holds_them_also_while_the_engine_is_down() -> None:
    understanding = Understanding(embedded=Embedded())  # never started
    text = "we are twelve men at the brick factory near Karachi they hold our id cards no salary for 6 months"
    meaning = await understanding.understand(text, languages=("en", "hi"))
    assert meaning.engine is Engine.RULES
    told = {mention.fact for mention in meaning.mentions}
    assert told == {Fact.WHERE, Fact.WHO, Fact.PAPERS, Fact.WAGES}
    assert Cue.WHO_IS_THIS in (await understanding.understand("who is this??", languages=("en",))).cues
