"""What a person's words can tell before it is asked. A table only."""

from understanding.meaning import Fact

TELLS: tuple[tuple[Fact, str], ...] = (
    (Fact.WHERE, ""),
    (Fact.WHEN, "today"),
    (Fact.WHEN, "week"),
    (Fact.WHEN, "earlier"),
    (Fact.WHO, "me"),
    (Fact.WHO, "adult"),
    (Fact.WHO, "minor"),
    (Fact.WHO, "several"),
    (Fact.STILL, "yes"),
    (Fact.STILL, "no"),
    (Fact.PAPERS, "kept"),
    (Fact.WAGES, "unpaid"),
)
"""Every fact with every value that words can give it; "" where only that it was told is known."""
