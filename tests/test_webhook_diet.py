"""The webhook diet: of every field that Twilio and Telegram document, only what is named in the adapters survives.

Fields are those of Twilio's "Twilio's Request to your Webhook URL" (Messaging and Voice), "Gather", "Status callback"
and "Opt-out keywords", and of the Bot API's Message, User, Chat and what they hold. Every one carries a canary.
"""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.messages import Address, ChannelName, Incoming, IncomingKind
from tests.channel_bench import (
    CHAT,
    LINE,
    PERSON,
    SID,
    House,
    Post,
    Provider,
    Request,
    serving,
    telegram_request,
    twilio_request,
    way,
)

CANARY: Final = "CANARY"

EVERYWHERE: Final = (
    *("AccountSid", "ApiVersion", "SubaccountSid", "ApplicationSid", "OrganizationSid"),
    *("FromCity", "FromState", "FromZip", "FromCountry", "ToCity", "ToState", "ToZip", "ToCountry"),
    *("AddOns", "I-Twilio-Idempotency-Token", "X-Home-Region"),
)
MESSAGING: Final = (
    *EVERYWHERE,
    *("SmsSid", "SmsMessageSid", "MessagingServiceSid", "SmsStatus", "NumSegments", "ReferralNumMedia"),
    *("MediaContentType0", "MediaContentType1", "MediaContentType9"),
    *("OptOutType", "MessageType", "ChannelPrefix", "ChannelInstallSid", "ChannelToAddress", "ChannelMetadata"),
    *("StructuredMessage", "EventType", "RawDlrDoneDate"),
    # WhatsApp
    *("ProfileName", "WaId", "Forwarded", "FrequentlyForwarded", "ButtonText", "ButtonPayload", "ButtonType"),
    *("ListId", "ListTitle", "ListDescription", "InteractiveData", "FlowData", "Flow"),
    *("Latitude", "Longitude", "Address", "Label", "Contacts", "ExternalUserId", "BusinessScopedUserId"),
    *("ReferralBody", "ReferralHeadline", "ReferralSourceId", "ReferralSourceType", "ReferralSourceUrl"),
    *("ReferralMediaId", "ReferralMediaContentType", "ReferralMediaUrl", "ReferralNumMedia", "ReferralCtwaClid"),
    *("OriginalRepliedMessageSender", "OriginalRepliedMessageSid", "QuotedMessage"),
)
VOICE: Final = (
    *EVERYWHERE,
    *("Direction", "ForwardedFrom", "CallerName", "ParentCallSid", "CallToken", "Timestamp", "SequenceNumber"),
    *("Caller", "CallerCity", "CallerState", "CallerZip", "CallerCountry"),
    *("Called", "CalledVia", "CalledCity", "CalledState", "CalledZip", "CalledCountry"),
    *("StirVerstat", "StirPassportToken", "StirAttestation", "SipDomain", "SipDomainSid", "SipUsername", "SipCallId"),
    *("SipSourceIp", "SipResponseCode", "SipHeader_X-Customer", "SipHeader_P-Asserted-Identity"),
    *("Confidence", "UnstableSpeechResult", "Stability", "FinishedOnKey", "msg", "Language"),
    *("RecordingUrl", "RecordingSid", "RecordingDuration", "RecordingStatus", "RecordingStartTime"),
    *("TranscriptionSid", "TranscriptionText", "TranscriptionUrl", "TranscriptionStatus", "AnsweredBy"),
    *("MachineDetectionDuration", "CallDuration", "Duration", "CallbackSource", "QueueTime", "QueueSid", "QueueResult"),
    *("DialCallSid", "DialCallStatus", "DialCallDuration", "DialBridged", "ErrorUrl", "CallReason"),
    *("BrandedChannelSid", "BrandSid", "Price", "PriceUnit", "ConferenceSid", "CallStatus"),
)
NEWS: Final = (*MESSAGING, "ErrorMessage", "ChannelStatusMessage", "ChannelStatusCode", "Price", "PriceUnit", "Body")

USER: Final = (
    *("first_name", "last_name", "username", "language_code", "is_premium", "added_to_attachment_menu"),
    *("can_join_groups", "can_read_all_group_messages", "supports_inline_queries", "has_main_web_app"),
)
CHAT_FIELDS: Final = (
    *("title", "username", "first_name", "last_name", "is_forum", "is_direct_messages", "bio", "photo", "location"),
    *("active_usernames", "birthdate", "business_intro", "business_location", "personal_chat", "description"),
    *("emoji_status_custom_emoji_id", "invite_link", "pinned_message", "accent_color_id", "linked_chat_id"),
)
MESSAGE: Final = (
    *("message_thread_id", "direct_messages_topic", "from", "sender_chat", "sender_boost_count"),
    *("sender_business_bot", "sender_tag", "date", "business_connection_id", "forward_origin", "is_topic_message"),
    *("is_automatic_forward", "reply_to_message", "external_reply", "quote", "reply_to_story", "via_bot"),
    *("reply_to_checklist_task_id", "edit_date", "has_protected_content", "is_from_offline", "is_paid_post"),
    *("media_group_id", "author_signature", "paid_star_count", "entities", "link_preview_options"),
    *("suggested_post_info", "effect_id", "caption_entities", "show_caption_above_media", "has_media_spoiler"),
    *("checklist", "contact", "dice", "game", "poll", "venue", "story", "paid_media", "invoice", "giveaway"),
    *("new_chat_members", "left_chat_member", "new_chat_title", "new_chat_photo", "delete_chat_photo"),
    *("group_chat_created", "supergroup_chat_created", "channel_chat_created", "migrate_to_chat_id"),
    *("message_auto_delete_timer_changed", "migrate_from_chat_id", "pinned_message", "successful_payment"),
    *("refunded_payment", "users_shared", "chat_shared", "gift", "unique_gift", "connected_website"),
    *("write_access_allowed", "passport_data", "proximity_alert_triggered", "boost_added", "chat_background_set"),
    *("checklist_tasks_done", "checklist_tasks_added", "forum_topic_created", "forum_topic_edited"),
    *("general_forum_topic_hidden", "giveaway_created", "giveaway_winners", "giveaway_completed"),
    *("video_chat_scheduled", "video_chat_started", "video_chat_ended", "video_chat_participants_invited"),
    *("web_app_data", "reply_markup", "direct_message_price_changed", "paid_message_price_changed"),
    # Before Bot API 7.0, and still sent by old servers
    *("forward_from", "forward_from_chat", "forward_signature", "forward_sender_name", "forward_date", "user_shared"),
)
FILE: Final = ("file_unique_id", "width", "height", "duration", "thumbnail", "file_name", "mime_type", "file_size")
FILE_TITLES: Final = ("performer", "title", "cover", "start_timestamp", "qualities")
STICKER: Final = ("file_id", "file_unique_id", "type", "set_name", "custom_emoji_id", "mask_position", "thumbnail")
PLACE: Final = ("horizontal_accuracy", "live_period", "heading", "proximity_alert_radius")
UPDATE: Final = (
    *("edited_message", "channel_post", "edited_channel_post", "business_connection", "business_message"),
    *("edited_business_message", "deleted_business_messages", "message_reaction", "message_reaction_count"),
    *("inline_query", "chosen_inline_result", "shipping_query", "pre_checkout_query", "purchased_paid_media"),
    *("poll", "poll_answer", "my_chat_member", "chat_member", "chat_join_request", "chat_boost", "removed_chat_boost"),
)
QUERY: Final = ("from", "inline_message_id", "chat_instance", "game_short_name")
FILES: Final = ("voice", "audio", "video", "video_note", "document", "animation")

CANARIES = st.text("abcdefghijklmnopqrstuvwxyz0123456789+ ابپ", max_size=12).map(lambda tail: f"{CANARY}{tail}")
LEAVES = st.one_of(
    CANARIES,
    st.lists(CANARIES, max_size=2),
    st.fixed_dictionaries({"first_name": CANARIES, "phone_number": CANARIES, "user_id": CANARIES}),
    st.fixed_dictionaries({"type": CANARIES, "url": CANARIES, "user": st.fixed_dictionaries({"username": CANARIES})}),
)


def some(names: Iterable[str], values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these fields, each with any of these values; often all of them."""
    full = dict.fromkeys(names, values)
    return st.fixed_dictionaries(full) | st.fixed_dictionaries({}, optional=full)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is posted, and all that may come of it."""

    request: Request
    kind: IncomingKind | None  # None: nothing comes of it
    texts: tuple[str, ...] = ()  # everything that may stand in a field, besides the kind and the channel


class Bench:
    """The real webhooks of every channel, on ports."""

    def __init__(self, house: House, posts: Mapping[ChannelName, Post]) -> None:
        self._house = house
        self._posts = posts

    async def posted(self, channel: ChannelName, request: Request) -> House:
        """What came of it."""
        self._house.incoming.clear()
        self._house.deliveries.clear()
        reply = await self._posts[channel](request)
        assert reply.status in {200, 204}
        assert self._house.reasons == []
        return self._house

    async def survives(self, channel: ChannelName, case: Case) -> None:
        """Nothing but what is named comes out."""
        house = await self.posted(channel, case.request)
        assert not house.deliveries or case.request.path.startswith("/twilio/voice/page")
        assert len(house.incoming) == (case.kind is not None)
        for incoming in house.incoming:
            assert incoming.kind is case.kind
            assert texts_in(asdict(incoming)) <= {*case.texts, str(incoming.kind), str(channel), ""}
            assert_nothing_shown(incoming)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """Every channel, and a provider that answers them."""
    house = House()
    async with AsyncExitStack() as stack:
        provider = await stack.enter_async_context(Provider().running())
        lines = [way(channel, provider.url) for channel in ChannelName]
        posts = {line.channel: await stack.enter_async_context(serving(line.adapter, house)) for line in lines}
        yield Bench(house, posts)
        for line in lines:
            await line.adapter.close()


# Twilio ----------------------------------------------------------------------------------------------------------


def form(path: str, named: Mapping[str, str], more: Mapping[str, str]) -> Request:
    """A signed form: what the adapter is to take, and everything else."""
    return twilio_request(path, {**more, **named})


def messages(more: dict[str, str]) -> Case:
    sid = "SM" + "1" * 32
    named = {"MessageSid": sid, "From": PERSON, "To": LINE, "Body": "hello", "NumMedia": "0"}
    request = form("/twilio/messages", named, more)
    return Case(request=request, kind=IncomingKind.TEXT, texts=(sid, PERSON, "hello", f"messages/{sid}"))


def pictures(more: dict[str, str]) -> Case:
    sid, url = "MM" + "1" * 32, f"https://api.example/Accounts/{SID}/Messages/MM1/Media/ME1"
    named = {"MessageSid": sid, "From": PERSON, "To": LINE, "Body": "see", "NumMedia": "1", "MediaUrl0": url}
    texts = (sid, PERSON, "see", url, f"messages/{sid}", "messages/MM1/media/ME1")
    return Case(request=form("/twilio/messages", named, more), kind=IncomingKind.ATTACHMENT, texts=texts)


def calls(more: dict[str, str]) -> Case:
    sid = "CA" + "2" * 32
    named = {"CallSid": sid, "From": PERSON, "To": LINE, "CallStatus": "ringing"}
    return Case(
        request=form("/twilio/voice", named, more), kind=IncomingKind.STARTED, texts=(sid, PERSON, f"calls/{sid}")
    )


def withheld(more: dict[str, str]) -> Case:
    sid = "CA" + "2" * 32
    request = form("/twilio/voice", {"CallSid": sid, "From": "Anonymous", "To": LINE}, more)
    return Case(request=request, kind=IncomingKind.STARTED, texts=(sid, f"call:{sid}", f"calls/{sid}"))


def speech(more: dict[str, str]) -> Case:
    sid = "CA" + "2" * 32
    named = {"CallSid": sid, "From": PERSON, "To": LINE, "SpeechResult": "help"}
    request = form("/twilio/voice/step?n=3", named, more)
    return Case(request=request, kind=IncomingKind.SPEECH, texts=(f"{sid}:3", PERSON, "help", f"calls/{sid}"))


def digits(more: dict[str, str]) -> Case:
    sid = "CA" + "2" * 32
    named = {"CallSid": sid, "From": PERSON, "To": LINE, "Digits": "1", "SpeechResult": ""}
    request = form("/twilio/voice/step?n=3", named, more)
    return Case(request=request, kind=IncomingKind.DIGITS, texts=(f"{sid}:3", PERSON, "1", f"calls/{sid}"))


def pages(more: dict[str, str]) -> Case:
    """A call that the line made: the one who was called is in To."""
    sid = "CA" + "2" * 32
    named = {"CallSid": sid, "From": LINE, "To": PERSON, "Digits": "1"}
    texts = (f"{sid}:page:1", PERSON, "1", "page-7", f"calls/{sid}")
    request = form("/twilio/voice/page?ref=page-7&n=1", named, more)
    return Case(request=request, kind=IncomingKind.DIGITS, texts=texts)


def picked_up(more: dict[str, str]) -> Case:
    """A phone that was rung for a caller: the one who was called is in To."""
    sid = "CA" + "2" * 32
    named = {"CallSid": sid, "From": LINE, "To": PERSON, "Digits": "1"}
    texts = (f"{sid}:whisper:2", PERSON, "1", "page-7", f"calls/{sid}")
    request = form("/twilio/voice/whisper?ref=page-7&n=2", named, more)
    return Case(request=request, kind=IncomingKind.DIGITS, texts=texts)


def put_through(more: dict[str, str]) -> Case:
    """The caller is back: of the other leg only its id and how it ended."""
    sid, leg = "CA" + "2" * 32, "CA" + "4" * 32
    named = {"CallSid": sid, "From": PERSON, "To": LINE, "CallStatus": "in-progress", "DialCallStatus": "busy"}
    named |= {"DialCallSid": leg, "DialBridged": "false"}
    texts = (f"{sid}:4", PERSON, "busy", "page-7", f"calls/{sid}", f"calls/{leg}")
    request = form("/twilio/voice/step?n=4&ref=page-7", named, more)
    return Case(request=request, kind=IncomingKind.DIALLED, texts=texts)


def hangups(more: dict[str, str]) -> Case:
    sid = "CA" + "2" * 32
    named = {"CallSid": sid, "From": PERSON, "To": LINE, "CallStatus": "completed"}
    request = form("/twilio/voice/status", named, more)
    return Case(request=request, kind=IncomingKind.HANGUP, texts=(f"{sid}:end", PERSON, f"calls/{sid}"))


TWILIO: Final = {
    "text": (ChannelName.SMS, MESSAGING, messages),
    "picture": (ChannelName.SMS, MESSAGING, pictures),
    "call": (ChannelName.VOICE, VOICE, calls),
    "withheld": (ChannelName.VOICE, VOICE, withheld),
    "speech": (ChannelName.VOICE, VOICE, speech),
    "digits": (ChannelName.VOICE, VOICE, digits),
    "page": (ChannelName.VOICE, VOICE, pages),
    "picked up": (ChannelName.VOICE, VOICE, picked_up),
    "put through": (ChannelName.VOICE, VOICE, put_through),
    "hang-up": (ChannelName.VOICE, VOICE, hangups),
}
DIET = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", TWILIO)
@DIET
@given(data=st.data())
async def test_of_everything_twilio_documents_only_the_named_fields_survive(
    bench: Bench, name: str, data: st.DataObject
) -> None:
    channel, fields, make = TWILIO[name]
    await bench.survives(channel, make(data.draw(some(fields, CANARIES))))


@DIET
@given(more=some(NEWS, CANARIES))
async def test_of_news_about_what_we_sent_only_the_named_fields_survive(bench: Bench, more: dict[str, str]) -> None:
    sid = "SM" + "3" * 32
    named = {"MessageSid": sid, "MessageStatus": "failed", "ErrorCode": "30003", "From": LINE, "To": PERSON}
    house = await bench.posted(ChannelName.SMS, form("/twilio/status?ref=parcel-9", named, more))
    (delivery,) = house.deliveries
    assert not house.incoming
    assert texts_in(asdict(delivery)) == {"parcel-9", "failed", f"messages/{sid}"}
    assert CANARY not in repr(delivery)
    assert PERSON not in repr(asdict(delivery))


# Telegram --------------------------------------------------------------------------------------------------------


def update(content: Mapping[str, Any], drawn: "Drawn") -> dict[str, Any]:
    """An update with a private message that holds this content, and every other field that was drawn."""
    chat = {**drawn.chat, "id": CHAT, "type": "private"}
    body = {**drawn.message, "from": {**drawn.user, "id": CHAT, "is_bot": False}, "chat": chat, "message_id": 41}
    return {**drawn.update, "update_id": 7, "message": {**body, **content}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """Every field that no adapter has a use for, with canaries."""

    user: dict[str, Any]
    chat: dict[str, Any]
    message: dict[str, Any]
    update: dict[str, Any]
    file: dict[str, Any]
    sticker: dict[str, Any]
    place: dict[str, Any]
    query: dict[str, Any]


DRAWN = st.builds(
    Drawn,
    user=some(USER, LEAVES),
    chat=some(CHAT_FIELDS, LEAVES),
    message=some(MESSAGE, LEAVES),
    update=some(UPDATE, LEAVES),
    file=some((*FILE, *FILE_TITLES), LEAVES),
    sticker=some(STICKER, LEAVES),
    place=some(PLACE, LEAVES),
    query=some(QUERY, LEAVES),
)
BASE: Final = ("u7", str(CHAT), "telegram/41")


def told(drawn: Drawn) -> Case:
    request = telegram_request(update({"text": "hello"}, drawn))
    return Case(request=request, kind=IncomingKind.TEXT, texts=(*BASE, "hello"))


def corrected(drawn: Drawn) -> Case:
    """A message that the person changed: its words, once more."""
    whole = update({"text": "it was Tuesday"}, drawn)
    changed = {**whole, "edited_message": whole.pop("message")}
    del changed["message"]
    return Case(request=telegram_request(changed), kind=IncomingKind.TEXT, texts=(*BASE, "it was Tuesday"))


def began(drawn: Drawn) -> Case:
    request = telegram_request(update({"text": f"/start {CANARY}referrer"}, drawn))
    return Case(request=request, kind=IncomingKind.STARTED, texts=BASE)


def photographed(drawn: Drawn) -> Case:
    sizes = [{**drawn.file, "file_id": f"{CANARY}small"}, {**drawn.file, "file_id": "large"}]
    request = telegram_request(update({"photo": sizes, "caption": "look"}, drawn))
    return Case(request=request, kind=IncomingKind.ATTACHMENT, texts=(*BASE, "look", "large"))


def recorded(drawn: Drawn) -> Case:
    files = {name: {**drawn.file, "file_id": f"id-{name}"} for name in FILES}
    texts = (*BASE, *(f"id-{name}" for name in FILES))
    return Case(request=telegram_request(update(files, drawn)), kind=IncomingKind.ATTACHMENT, texts=texts)


def placed(drawn: Drawn) -> Case:
    spot = {**drawn.place, "latitude": 48.2, "longitude": 16.37}
    venue = {"location": spot, "title": f"{CANARY}title", "address": f"{CANARY}street", "foursquare_id": CANARY}
    request = telegram_request(update({"location": spot, "venue": venue}, drawn))
    return Case(request=request, kind=IncomingKind.TEXT, texts=(*BASE, "48.20000, 16.37000"))


def stuck(drawn: Drawn) -> Case:
    request = telegram_request(update({"sticker": {**drawn.sticker, "emoji": "🆘"}}, drawn))
    return Case(request=request, kind=IncomingKind.TEXT, texts=(*BASE, "🆘"))


def shared(drawn: Drawn) -> Case:
    """A contact card: somebody's name and number. That something came is all that is left of it."""
    card = {"phone_number": f"{CANARY}number", "first_name": CANARY, "user_id": 5, "vcard": f"BEGIN:{CANARY}"}
    request = telegram_request(update({"contact": card}, drawn))
    return Case(request=request, kind=IncomingKind.ATTACHMENT, texts=BASE)


def pressed(drawn: Drawn) -> Case:
    asked = update({"text": f"{CANARY}the question"}, drawn)["message"]
    query = {**drawn.query, "id": "q1", "message": asked, "data": "safe:yes"}
    request = telegram_request({**drawn.update, "update_id": 7, "callback_query": query})
    return Case(request=request, kind=IncomingKind.CHOICE, texts=("u7", str(CHAT), "safe:yes"))


def elsewhere(drawn: Drawn) -> Case:
    """A group: the line speaks to one person only."""
    whole = update({"text": "hello"}, drawn)
    whole["message"]["chat"]["type"] = "supergroup"
    return Case(request=telegram_request(whole), kind=None)


TELEGRAM: Final = {
    "text": told,
    "corrected": corrected,
    "start": began,
    "photo": photographed,
    "files": recorded,
    "place": placed,
    "sticker": stuck,
    "contact": shared,
    "button": pressed,
    "group": elsewhere,
}


@pytest.mark.parametrize("name", TELEGRAM)
@DIET
@given(drawn=DRAWN)
async def test_of_everything_telegram_documents_only_the_named_fields_survive(
    bench: Bench, name: str, drawn: Drawn
) -> None:
    await bench.survives(ChannelName.TELEGRAM, TELEGRAM[name](drawn))


@DIET
@given(drawn=DRAWN, name=st.sampled_from(UPDATE), content=LEAVES)
async def test_no_other_kind_of_update_comes_through(bench: Bench, drawn: Drawn, name: str, content: Any) -> None:
    body = {**drawn.update, "update_id": 7, name: {**drawn.message, "text": CANARY, "chat": {"id": CHAT, "x": content}}}
    await bench.survives(ChannelName.TELEGRAM, Case(request=telegram_request(body), kind=None))


# What is looked at -----------------------------------------------------------------------------------------------


def texts_in(value: object) -> set[str]:
    """Every string in plain values, however deep."""
    if isinstance(value, str):
        return {str(value)}
    if isinstance(value, Mapping):
        return {text for item in value.values() for text in texts_in(item)}
    return {text for item in value for text in texts_in(item)} if isinstance(value, list | tuple) else set()


def assert_nothing_shown(incoming: Incoming) -> None:
    """No canary anywhere; and words and addresses not in what a log might print."""
    assert CANARY not in json.dumps(asdict(incoming), ensure_ascii=False)
    shown = repr(incoming)
    assert CANARY not in shown
    assert incoming.address.value not in shown or incoming.address.value.startswith("call:")
    if incoming.kind in {IncomingKind.TEXT, IncomingKind.SPEECH, IncomingKind.ATTACHMENT} and incoming.text:
        assert incoming.text not in shown
    assert all(media not in shown for media in incoming.media)


@pytest.mark.parametrize("leak", ["text", "reference", "media", "copies"])
def test_the_look_itself_sees_a_canary_in_any_field(leak: str) -> None:
    value: Any = (f"{CANARY}x",) if leak in {"media", "copies"} else f"{CANARY}x"
    address = Address(channel=ChannelName.SMS, value=PERSON)
    leaking = Incoming(**{"id": "1", "address": address, "kind": IncomingKind.TEXT, "text": "hello", leak: value})
    with pytest.raises(AssertionError):
        assert_nothing_shown(leaking)
