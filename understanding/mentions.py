"""What a text says of itself: where, when, who, whether it goes on, papers, wages; and cues about who writes.

Needs no model. Precision before recall: to ask once more costs little, to believe something that nobody said costs a
report its place or its day. The words are in locales/<tag>/mentions.yml (phrasebook.py reads them); what is decided
here is only which of several answers counts. Pure; the time taken grows with the length of the text and no faster.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from understanding.meaning import Cue, Fact, Mention
from understanding.phrasebook import MentionTable, Phrasebook, Result, Rule
from understanding.templates import KEY, NUMBER, Spoken, plain, spoken

BEFORE, BEHIND = 5, 3
"""Words (joined writing: twice as many signs) around a phrase in which others take it back, in the same sentence."""
LONGEST_WORDS = 60

_FIRST: Mapping[Fact, tuple[str, ...]] = MappingProxyType({
    Fact.WHO: ("minor", "several", "adult", "me"),
    Fact.WHEN: ("today", "week", "earlier"),
})  # fmt: skip
_EARNEST = frozenset((Fact.WHO, Fact.STILL, Fact.PAPERS, Fact.WAGES))


def mentions_in(text: str, languages: Sequence[str], table: MentionTable) -> tuple[tuple[Mention, ...], frozenset[Cue]]:
    """What `text` mentions, at most once for each fact, and its cues.

    languages: tags of the likely languages, the likeliest first; none means all that the table knows. Never raises.
    """
    seen = spoken(text)
    found: dict[Result, str] = {}
    for language in languages or table.books:
        if book := table.books.get(language):
            for result, words in _found(seen, book):
                found.setdefault(result, words)
    mentions = tuple(filter(None, (_chosen(fact, found) for fact in Fact)))
    cues = frozenset(result for result in found if isinstance(result, Cue))
    if Cue.JOKE in cues and (not _EARNEST.isdisjoint(m.fact for m in mentions) or table.is_serious(seen)):
        cues -= {Cue.JOKE}
    return mentions, cues


def _chosen(fact: Fact, found: Mapping[Result, str]) -> Mention | None:
    """The one answer to a fact, or None where there is none or two contradict each other."""
    values = [result[1] for result in found if isinstance(result, tuple) and result[0] is fact]
    if not values or (fact is Fact.STILL and len(values) > 1):
        return None
    order = _FIRST.get(fact, ())
    value = min(values, key=lambda each: order.index(each) if each in order else 0)
    return Mention(fact=fact, value=value, words=found[fact, value][:LONGEST_WORDS])


def _found(seen: Spoken, book: Phrasebook) -> Iterator[tuple[Result, str]]:
    """Every result that some phrase of one language gives, with its words."""
    done: set[Result] = set()
    for word, at in enumerate(seen.offsets):
        for rule in _candidates(seen.text, at, book):
            if rule.result in done:
                continue
            if (match := rule.phrases.match(seen.text, at)) and _counts(seen, word, match, rule, book):
                done.add(rule.result)
                yield rule.result, seen.as_written(at, match.end())


def _candidates(text: str, at: int, book: Phrasebook) -> Iterator[Rule]:
    """The rules whose phrases may begin with the word at `at`."""
    yield from _keyed(text, at, book)
    for prefix in book.writing.prefixes:
        if text.startswith(prefix, at):
            yield from _keyed(text, at + len(prefix), book)


def _keyed(text: str, at: int, book: Phrasebook) -> Iterator[Rule]:
    for size in range(1, KEY + 1):
        yield from book.rules.get(text[at : at + size], ())
    if text[at].isdecimal():
        yield from book.rules.get(NUMBER, ())


def _counts(seen: Spoken, word: int, match: re.Match[str], rule: Rule, book: Phrasebook) -> bool:
    """Whether a phrase stands as it is: nothing around it takes it back, and a name looks like one."""
    if match.lastindex and not _is_name(seen, match.start(match.lastindex), book):
        return False
    text, start, end = seen.text, match.start(), match.end()
    double = 2 if book.writing.joined else 1
    first = seen.offsets[max(word - BEFORE * double, 0)]
    begin = max(first, text.rfind("|", first, start) + 1)
    if rule.not_after and rule.not_after.search(text, begin, end + 1):
        return False
    behind = bisect_left(seen.offsets, end) + BEHIND * double
    last = seen.offsets[behind] if behind < len(seen.offsets) else len(text)
    stop = text.find("|", end, last)
    return not (rule.not_before and rule.not_before.search(text, end, last if stop < 0 else stop))


def _is_name(seen: Spoken, at: int, book: Phrasebook) -> bool:
    """Whether the word at `at` was written with a capital where that says something, and is none that never counts."""
    name = seen.as_written(at, at + 1)
    return name[:1].isupper() and not seen.shouted and plain(name) not in book.not_names
