"""The engine: what follows from what a person does. Whole conversations are in tests/stories/; promises are here."""

from dataclasses import replace
from typing import Any

import pytest

from dialogs.conversation import CodeState, Conversation, Mode, Phase
from dialogs.events import (
    Alert,
    Ask,
    Chose,
    CodeChecked,
    End,
    Event,
    File,
    HandOver,
    HungUp,
    Keep,
    OpenCode,
    ReadAnswers,
    Said,
    Say,
    Secret,
    SetContactRule,
    Shared,
    Silent,
    Started,
    WordChecked,
)
from dialogs.guarding import is_doubtful, may_be_read_here
from dialogs.noticing import is_asked_by_a_stranger
from tests.talking import CODE, FLOW, LINE, STORY, Talk, at, means
from understanding.meaning import Cue, Evidence, Fact, Intent, Meaning, Mention, Signal

ASKS = Meaning(cues=frozenset({Cue.WHAT_IS_KEPT}))

# Safety first -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", [Started(), Said(text="hello"), Shared(), Chose(option="facts.when:today"), Silent()])
def test_the_first_question_is_always_whether_it_is_safe(event: Event) -> None:
    assert Talk().does(event).asked == "safe"


def test_not_now_is_answered_with_one_neutral_sentence_and_nothing_else() -> None:
    talk = Talk().says("hello", "2")
    assert talk.effects == (Say(phrase="later.parked"), End())
    assert talk.state.phase is Phase.PARKED


@pytest.mark.parametrize("step", ["way", "help.what", "facts.where", "contact.rule", "code.enter", "danger.where"])
def test_one_key_parks_from_anywhere_and_a_later_word_is_welcomed_with_safety(step: str) -> None:
    talk = at(step).says("7")
    assert [type(effect) for effect in talk.effects[-2:]] == [Say, End]
    assert talk.later(30).says("me again").asked == "again.safe"
    assert talk.says("1").asked == FLOW.phrase(step)


@pytest.mark.parametrize("hours", [4.1, 200])
def test_an_answer_after_a_long_silence_counts_but_safety_is_asked_before_going_on(hours: float) -> None:
    talk = at("facts.where").later(hours).says("Station Road")
    assert talk.of(Keep) == [Keep(step="facts.where")]
    assert talk.asked == "again.safe"
    assert talk.says("1").asked == "facts.when"


@pytest.mark.parametrize(
    ("state", "doubtful", "read"),
    [
        ({"step": "facts.where", "ask_safe": False}, False, True),
        ({"step": "again.safe", "ask_safe": True}, True, False),
        ({"step": "who.asked", "ask_safe": False}, True, False),
        ({"step": "again.word", "guarded": True, "ask_safe": False}, True, False),
        ({"step": "danger.now", "guarded": True, "interrupted": ("again.word",), "ask_safe": False}, True, False),
        ({"step": "danger.safe", "ask_safe": False}, False, False),
        ({"step": "danger.where", "ask_safe": False}, False, True),
        ({"step": "facts.where", "ask_safe": False, "duress": True}, False, False),
    ],
)
def test_staffs_words_wait_while_it_may_be_somebody_else_and_held_ones_until_it_is_said_to_be_safe(
    state: dict[str, Any], doubtful: bool, read: bool
) -> None:
    now = Conversation(phase=Phase.ASKING, **state)
    assert is_doubtful(FLOW, now) is doubtful
    assert may_be_read_here(FLOW, now) is read


def test_a_score_alone_shows_no_danger_to_whoever_asks_who_we_are() -> None:
    asks = frozenset({Cue.WHO_IS_THIS})
    knife = (Evidence(signal=Signal.WEAPON, score=0.6),)
    assert is_asked_by_a_stranger(Meaning(cues=asks, danger=0.4), 0.7)
    assert not is_asked_by_a_stranger(Meaning(cues=asks, danger=0.8), 0.7)
    assert not is_asked_by_a_stranger(Meaning(cues=asks, danger=0.4, signals=knife), 0.7)
    assert not is_asked_by_a_stranger(Meaning(danger=0.4), 0.7)


def test_a_gap_of_an_hour_is_normal() -> None:
    assert at("facts.where").later(1).says("Station Road").asked == "facts.when"


def test_words_do_not_say_that_it_is_safe_after_a_silence() -> None:
    """Somebody else may hold the phone by now."""
    talk = Talk().says("hello").does(Silent(idle=True)).later(2).says("who is this")
    assert talk.asked == "safe"
    assert talk.says("1").asked == "language"


def test_watched_means_neutral_words_from_now_on() -> None:
    assert Talk().says("hello", "3").state.mode is Mode.DISCREET


def test_a_line_may_be_discreet_from_the_first_word() -> None:
    assert Talk(replace(LINE, mode=Mode.DISCREET)).says("hello").state.mode is Mode.DISCREET


# Danger -----------------------------------------------------------------------------------------------------------

EVERYWHERE = ["safe", "language", "way", "help.what", "facts.still", "contact.hours", "code.offer", "code.confirm"]


@pytest.mark.parametrize("step", EVERYWHERE)
def test_danger_is_answered_with_the_number_and_a_human_before_anything_is_asked(step: str) -> None:
    talk = at(step).says("he has a knife and he is coming", urgent=True)
    assert talk.effects[:4] == (
        Keep(step=step),
        Alert(reason="danger"),
        File(way=""),
        Say(phrase="danger.number"),
    )
    assert talk.asked == "danger.safe"


def test_danger_in_the_first_message_does_not_wait_for_a_question() -> None:
    talk = Talk().says("they lock us in and there is fire", urgent=True)
    assert talk.of(Alert) == [Alert(reason="danger")]
    assert talk.said == ["danger.number"]


def test_further_danger_alerts_again_without_repeating_the_number() -> None:
    talk = Talk().says("he is coming", urgent=True).says("1").says("he is at the door", urgent=True)
    assert talk.of(Alert) == [Alert(reason="danger")]
    assert "danger.number" not in talk.said
    assert talk.asked == "danger.wait"


def test_danger_after_a_rest_is_said_again() -> None:
    talk = Talk().says("he is coming", urgent=True).says("7").later(20).says("he is back", urgent=True)
    assert talk.said == ["danger.number"]


def test_danger_alerts_while_a_human_is_writing_and_we_stay_silent() -> None:
    talk = at("facts.where", human=True).says("he is here", urgent=True)
    assert talk.effects == (Keep(step="human"), Alert(reason="danger"))


def test_not_safe_to_go_on_in_danger_parks_with_neutral_words() -> None:
    talk = at("danger.safe", danger_shown=True).says("2")
    assert (talk.state.mode, talk.state.phase) == (Mode.DISCREET, Phase.PARKED)
    assert talk.said == ["later.parked"]


def test_a_button_that_says_danger_is_heard_even_when_it_is_old() -> None:
    assert at("facts.when").does(Chose(option="help.danger:yes")).of(Alert) == [Alert(reason="danger")]


def test_not_sure_about_danger_calls_somebody_too() -> None:
    assert at("help.danger").says("3").of(Alert) == [Alert(reason="may_be_in_danger")]


# A human ----------------------------------------------------------------------------------------------------------


def test_zero_brings_a_human_at_once_from_anywhere_and_opens_a_case() -> None:
    talk = at("facts.when").says("0")
    assert talk.effects[:4] == (
        Keep(step="facts.when", choice="human"),
        Alert(reason="asked_for_human"),
        File(way=""),
        HandOver(),
    )
    assert talk.says("1").asked == "facts.when"


def test_zero_as_the_very_first_thing_is_enough() -> None:
    talk = Talk().says("0")
    assert talk.of(HandOver)
    assert talk.says("1").asked == "safe"


def test_while_a_human_is_writing_we_only_keep_what_is_said() -> None:
    talk = at("facts.where", human=True)
    for event in (Said(text="are you there"), Shared(), Chose(option="facts.when:today"), Started(), Silent()):
        talk.does(event)
        assert not [effect for effect in talk.effects if not isinstance(effect, Keep)]
    assert talk.does(Said(text=CODE)).effects == ()


# What five readers found -------------------------------------------------------------------------------------------


def test_whoever_asks_what_is_kept_is_answered_and_then_asked_the_same_again() -> None:
    talk = at("facts.where").says("do you keep my number", meaning=ASKS)
    assert talk.of(Keep) == [Keep(step="facts.where")]
    assert (talk.said[0], talk.asked) == ("kept.note", "facts.where")
    assert not at("report.what").says("is this anonymous", meaning=ASKS).state.told


def test_what_is_kept_is_not_told_before_it_is_known_who_holds_the_phone() -> None:
    first = Talk().says("is this anonymous", meaning=ASKS)
    assert (first.said, first.asked) == ([], "safe")
    assert first.says("1", "1").said[0] == "kept.note"
    assert first.asked == "way"
    later = at("facts.where").later(9).says("who can see my messages", meaning=ASKS)
    assert (later.said, later.asked) == ([], "again.safe")
    assert (later.says("1").said[0], later.asked) == ("kept.note", "facts.where")


def test_whoever_asks_what_is_kept_after_the_end_is_not_taken_through_it_all_again() -> None:
    talk = at("code.offer", kept=True, filed=True, told=True).says("2")
    assert talk.state.phase is Phase.ENDED
    talk.says("who can see my messages", meaning=ASKS)
    assert (talk.said, talk.asked) == (["kept.note"], "after.what")


def test_words_at_the_read_back_may_hold_the_place_so_it_is_not_asked_as_if_nothing_had_been_said() -> None:
    talk = at("facts.heard", facts={Fact.WHO: "several"}).says("Harbour street")
    assert talk.asked == "facts.where_more"
    assert talk.says("9").asked == "facts.when"


def test_a_child_in_danger_hears_the_number_and_that_it_is_not_their_fault() -> None:
    talk = at("way").says("im 15 he hits me", urgent=True, meaning=means(Intent.UNKNOWN, 0.0, Signal.CHILD))
    assert talk.said == ["danger.number", "minor.note"]
    assert [alert.reason for alert in talk.of(Alert)] == ["danger"]


def test_whoever_may_hurt_themselves_is_taught_no_keys() -> None:
    talk = Talk().says("i want to die", urgent=True, meaning=means(Intent.UNKNOWN, 0.0, Signal.SELF_HARM))
    for words in ("1", "nobody would miss me", "i dont know"):
        talk.says(words)
        assert not [phrase for phrase in talk.said if phrase.startswith("hint.")]
    assert talk.asked == "danger.more"


def test_somebody_who_does_not_know_us_is_not_told_of_another_time() -> None:
    who = Meaning(cues=frozenset({Cue.WHO_IS_THIS}))
    talk = at("facts.when").says("who is this", meaning=who).says("i ordered nothing")
    assert talk.effects[-2:] == (Say(phrase="who.more"), End())
    assert talk.state.phase is Phase.PARKED
    assert talk.says("7").said == ["later.parked"]


def test_a_correction_of_the_same_week_answers_no_other_question() -> None:
    tuesday = Meaning(cues=frozenset({Cue.CORRECTION}), mentions=(Mention(fact=Fact.WHEN, value="week"),))
    talk = at("facts.still", chosen={"facts.when": "week"}).says("no it was tuesday", meaning=tuesday)
    assert (talk.said, talk.asked) == (["facts.corrected"], "facts.still")


# One question at a time, all of them open to words ----------------------------------------------------------------


def test_a_story_in_the_first_message_is_kept_and_not_asked_again() -> None:
    talk = Talk().says(STORY)
    assert talk.of(Keep) == [Keep(step="opening")]
    assert talk.says("1").asked == "language"
    talk.says("1")
    assert talk.said[0] == "heard.story"
    assert talk.asked == "facts.where"


def test_a_wish_without_a_story_still_asks_what_happened() -> None:
    talk = Talk().says("I want to report", meaning=means(Intent.REPORT)).says("1", "1")
    assert talk.asked == "report.what"


def test_help_for_oneself_asks_about_danger_first() -> None:
    talk = Talk().says("please help me", meaning=means(Intent.HELP_SELF)).says("1", "1")
    assert talk.asked == "help.danger"


def test_words_at_a_closed_question_are_kept_and_move_on() -> None:
    talk = at("facts.who").says("my sister and two girls")
    assert talk.effects[0] == Keep(step="facts.who")
    assert talk.asked == "facts.still"


def test_a_greeting_answers_no_question() -> None:
    talk = at("facts.where").says("hi", meaning=means(Intent.GREETING))
    assert talk.of(Keep)
    assert talk.asked == "facts.where"


def test_only_a_picture_of_a_face_is_kept_and_the_question_stays() -> None:
    talk = at("facts.still").says("\U0001f622")
    assert talk.of(Keep)
    assert talk.asked == "facts.still"


def test_a_photo_is_acknowledged_and_answers_the_question() -> None:
    talk = at("report.what").does(Shared(caption="the yard"))
    assert talk.effects[:2] == (Keep(step="report.what"), Say(phrase="heard.file"))
    assert talk.asked == "facts.where"


def test_nine_skips_and_skipping_everything_ends_well() -> None:
    talk = Talk().says("hello", "1")
    for _ in range(12):
        if talk.state.phase is Phase.ENDED:
            break
        talk.says("9")
    assert talk.state.phase is Phase.ENDED


def test_a_clear_intent_in_words_is_as_good_as_a_key() -> None:
    assert at("facts.who").says("rather not", meaning=means(Intent.SKIP)).asked == "facts.still"
    assert at("facts.who").says("not now please", meaning=means(Intent.CANNOT_TALK)).said == ["later.parked"]
    assert at("facts.who").says("give me somebody", meaning=means(Intent.HUMAN)).of(HandOver)
    assert at("facts.who").says("there is a number i got", meaning=means(Intent.HAVE_CODE)).asked == "code.enter"


def test_an_unclear_intent_changes_nothing() -> None:
    assert at("facts.who").says("somebody", meaning=means(Intent.HUMAN, 0.6)).asked == "facts.still"


def test_the_truth_about_the_channel_is_said_once_and_before_the_first_sensitive_question() -> None:
    talk = at("way").says("2")
    assert talk.said == ["privacy.sms"]
    assert talk.says(STORY).said == []


@pytest.mark.parametrize("channel", ["sms", "voice", "telegram"])
def test_each_channel_has_its_own_truth(channel: str) -> None:
    talk = at("way")
    talk.line = LINE.on(channel)
    assert talk.says("2").said == [f"privacy.{channel}"]


# Codes ------------------------------------------------------------------------------------------------------------


def test_a_code_is_never_kept() -> None:
    for talk in (Talk(), at("code.enter"), at("facts.where")):
        assert talk.says(CODE).effects == (OpenCode(digits="1234567890123456"),)


def test_a_code_that_opens_reads_the_answers_only_after_it_is_safe() -> None:
    talk = Talk().says(CODE).does(CodeChecked(found=True, waiting=2))
    assert talk.asked == "again.safe"
    talk.says("1")
    assert talk.effects[0] == ReadAnswers()
    assert talk.asked == "code.menu"
    assert talk.state.code is CodeState.OPENED


def test_an_opened_code_without_answers_says_so() -> None:
    assert at("code.enter").says(CODE).does(CodeChecked(found=True)).said == ["code.no_answers"]


def test_a_wrong_code_gets_the_same_words_three_times_and_then_the_way_on() -> None:
    talk = at("code.enter", chosen={"way": "code"})
    answers = []
    for code in (CODE, "12345", "9999888877776666"):
        talk.says(code).does(CodeChecked(found=False))
        answers.append(talk.effects)
    assert answers[0] == answers[1] == (Ask(phrase="code.not_opened", code=True),)
    assert answers[2][0] == Say(phrase="code.give_up")
    assert talk.asked == "way"


def test_a_wrong_code_before_safety_does_not_lead_past_it() -> None:
    talk = Talk().says(CODE).does(CodeChecked(found=False)).says("9")
    assert talk.asked == "again.safe"


def test_a_phone_number_is_not_taken_for_a_code() -> None:
    assert at("facts.who").says("+49 151 2345 6789").of(Keep) == [Keep(step="facts.who")]


def test_the_given_code_is_confirmed_by_its_end_and_asked_again_once() -> None:
    talk = at("code.offer").says("1")
    assert talk.asked == "code.confirm"
    assert talk.says("1111").effects == (OpenCode(digits="1111", ending=True),)
    assert talk.does(CodeChecked(found=False)).asked == "code.confirm_again"
    assert talk.says("3456").does(CodeChecked(found=True)).said == ["code.confirmed", "done"]


def test_a_code_that_is_not_confirmed_does_not_hold_anybody() -> None:
    talk = at("code.confirm", code=CodeState.GIVEN)
    for _ in range(2):
        talk.says("1111").does(CodeChecked(found=False))
    assert talk.state.phase is Phase.ENDED


def test_news_of_a_code_nobody_asked_about_changes_nothing() -> None:
    assert at("facts.where").does(CodeChecked(found=True)).effects == ()


# Contact, filing, the end -----------------------------------------------------------------------------------------


def test_the_person_decides_how_to_be_answered() -> None:
    assert at("contact.rule").says("4").of(SetContactRule) == [SetContactRule(rule="neutral")]
    hours = at("contact.rule").says("3", "1").of(SetContactRule)
    assert hours == [SetContactRule(rule="hours", hours="08-12")]


def test_the_report_is_in_the_queue_before_the_small_questions() -> None:
    assert at("report.what", chosen={"way": "report"}).says(STORY).of(File) == [File(way="report")]


def test_a_report_is_filed_once() -> None:
    talk = Talk().says(STORY)
    filed = []
    for _ in range(12):
        filed += talk.of(File)
        talk.says("9")
    assert len(filed) == 1


@pytest.mark.parametrize("event", [HungUp(), Silent(idle=True)])
def test_whoever_falls_silent_is_filed_with_what_was_said(event: Event) -> None:
    assert Talk().says("please").does(event).effects == (File(way=""),)
    assert Talk().does(Started()).does(event).effects == ()


def test_silence_on_a_call_is_answered_once_then_with_an_offer_then_in_peace() -> None:
    talk = at("facts.where")
    assert talk.does(Silent()).said == ["voice.repeat"]
    assert talk.does(Silent()).said == ["voice.offer"]
    assert talk.asked == "facts.where"
    talk.does(Silent())
    assert talk.effects[-2:] == (Say(phrase="later.parked"), End())


def test_words_after_the_end_are_added() -> None:
    talk = at("code.offer", kept=True, filed=True, told=True).says("2").says("one more thing")
    assert talk.effects == (Keep(step="returned"), Say(phrase="turn.added"), End())
    assert talk.later(9).says("and another").asked == "again.safe"
    assert talk.says("1").asked == "after.what"


@pytest.mark.parametrize("button", ["safe:yes", "again.safe:yes", "again.safe:watched", "code.menu:contact"])
@pytest.mark.parametrize("phase", [Phase.PARKED, Phase.RESTED])
def test_an_old_button_is_no_check_word(button: str, phase: Phase) -> None:
    """Whoever took the phone finds the buttons of yesterday in the chat."""
    talk = at("code.menu", guarded=True, ask_safe=True, interrupted=("code.menu",))
    talk.state = talk.state.but(phase=phase)
    assert talk.does(Chose(option=button)).asked == "again.word"
    assert talk.does(Chose(option=button)).asked == "again.word"
    assert talk.state.ask_safe


def test_no_key_changes_the_contact_rule_before_the_check_word() -> None:
    talk = at("contact.change", guarded=True, code=CodeState.OPENED, contact_rule="never_first")
    talk.state = talk.state.but(phase=Phase.RESTED)
    for event in (Said(text="4"), Chose(option="contact.change:neutral")):
        talk.does(event)
        assert talk.asked == "again.word"
        assert talk.of(SetContactRule) == []
    assert talk.state.contact_rule == "never_first"


@pytest.mark.parametrize("phase", [Phase.PARKED, Phase.RESTED])
def test_neither_asking_for_a_human_nor_danger_leads_around_the_check_word(phase: Phase) -> None:
    for first in ("0", "8"):
        talk = at("code.menu", guarded=True, ask_safe=True, code=CodeState.OPENED, interrupted=("code.menu",))
        talk.state = talk.state.but(phase=phase)
        talk.says(first)
        assert talk.does(Chose(option="contact.rule:neutral")).of(SetContactRule) == []
        assert talk.says("1").asked == "again.word"
    talk = at("again.word", guarded=True, ask_safe=True, code=CodeState.OPENED)
    assert talk.does(Chose(option="help.danger:yes")).of(Alert)
    assert talk.does(Chose(option="contact.rule:neutral")).of(SetContactRule) == []
    assert talk.says("1").asked == "danger.where", "and danger goes on without it"


def test_the_check_word_is_asked_for_once_and_then_forgotten() -> None:
    talk = at("code.menu", guarded=True, ask_safe=True, code=CodeState.OPENED, filed=True)
    talk.state = talk.state.but(phase=Phase.PARKED)
    talk.says("I write for a newspaper", meaning=replace(means(Intent.UNKNOWN), cues=frozenset({Cue.PRESS})))
    assert talk.state.phase is Phase.ENDED
    assert talk.says("what did I tell you yesterday about the kiln there").asked == "again.word"
    assert talk.does(Chose(option="contact.rule:neutral")).of(SetContactRule) == []
    talk.does(WordChecked(found=Secret.CHECK))
    assert "again.word" not in talk.state.interrupted
    assert talk.says("0", "1").asked != "again.word"


@pytest.mark.parametrize("button", ["safe:not_now", "help.danger:yes"])
def test_not_now_and_danger_need_no_check_word(button: str) -> None:
    talk = at("again.word", guarded=True, ask_safe=True).does(Chose(option=button))
    assert talk.state.phase is Phase.PARKED or talk.of(Alert)
