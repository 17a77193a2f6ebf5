"""What Telegram calls things, and what we call them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from shared.contract.codes import Code
from shared.contract.envelope import MediaKind

# message_reaction is only sent when it is asked for by name: https://core.telegram.org/bots/api#setwebhook
ALLOWED_UPDATES: Final = (
    "message",
    "edited_message",
    "channel_post",
    "edited_channel_post",
    "message_reaction",
    "callback_query",
    "my_chat_member",
)


class FileField(NamedTuple):
    """A field of a message that holds a file; `mime_type` is what it is where Telegram does not say."""

    media: MediaKind
    mime_type: str | None = None


# An animation is repeated in `document` for old readers, so it stands before it.
FILES: Final[Mapping[str, FileField]] = {
    "animation": FileField("video", "video/mp4"),
    "audio": FileField("audio"),
    "document": FileField("file"),
    "sticker": FileField("sticker", "image/webp"),
    "video": FileField("video"),
    "video_note": FileField("video", "video/mp4"),
    "voice": FileField("audio", "audio/ogg"),
}

# Service messages: nobody said them (https://core.telegram.org/bots/api#message). What people do by them stays a message:
# users_shared, chat_shared, web_app_data, passport_data, successful_payment, refunded_payment, gift, unique_gift.
_SERVICE: Final = """
boost_added channel_chat_created chat_background_set chat_owner_changed chat_owner_left checklist_tasks_added
checklist_tasks_done connected_website delete_chat_photo direct_message_price_changed forum_topic_closed
forum_topic_created forum_topic_edited forum_topic_reopened general_forum_topic_hidden general_forum_topic_unhidden
giveaway_completed giveaway_created giveaway_winners group_chat_created left_chat_member
message_auto_delete_timer_changed migrate_from_chat_id migrate_to_chat_id new_chat_members new_chat_photo new_chat_title
paid_message_price_changed pinned_message proximity_alert_triggered suggested_post_approval_failed
suggested_post_approved suggested_post_declined suggested_post_paid suggested_post_refunded supergroup_chat_created
video_chat_ended video_chat_participants_invited video_chat_scheduled video_chat_started write_access_allowed
"""
SERVICE: Final = frozenset(_SERVICE.split())

# Where the words are in content that is not translated.
WORDS: Final[Mapping[str, str]] = {
    "checklist": "title",
    "dice": "emoji",
    "game": "title",
    "invoice": "title",
    "poll": "question",
    "web_app_data": "data",
}

# Everything in a Message that says where it comes from or how it looks; what remains is its content.
_ABOUT: Final = """
author_signature business_connection_id caption caption_entities chat date direct_messages_topic edit_date effect_id
ephemeral_message_id external_reply forward_origin from guest_query_id has_media_spoiler has_protected_content
is_automatic_forward is_from_offline is_paid_post is_topic_message link_preview_options media_group_id message_id
message_thread_id paid_star_count quote receiver_user reply_markup reply_to_checklist_task_id reply_to_message
reply_to_story sender_boost_count sender_business_bot sender_chat sender_tag show_caption_above_media
suggested_post_info via_bot
"""
ABOUT_MESSAGE: Final = frozenset(_ABOUT.split())

# https://core.telegram.org/bots/api#html-style
TAGS: Final[Mapping[str, tuple[str, str]]] = {
    "bold": ("<b>", "</b>"),
    "italic": ("<i>", "</i>"),
    "underline": ("<u>", "</u>"),
    "strikethrough": ("<s>", "</s>"),
    "spoiler": ('<span class="tg-spoiler">', "</span>"),
    "code": ("<code>", "</code>"),
    "pre": ("<pre>", "</pre>"),
    "blockquote": ("<blockquote>", "</blockquote>"),
    "expandable_blockquote": ("<blockquote>", "</blockquote>"),
}


class Method(NamedTuple):
    """A method of the Bot API that sends a file, and the field that the file goes in."""

    name: str
    field: str


PHOTO: Final = Method("sendPhoto", "photo")
VIDEO: Final = Method("sendVideo", "video")
AUDIO: Final = Method("sendAudio", "audio")
DOCUMENT: Final = Method("sendDocument", "document")
STICKER: Final = Method("sendSticker", "sticker")
STICKER_TYPES: Final = frozenset({"image/webp", "application/x-tgsticker", "video/webm"})

# By MIME type, or by kind where that is not known; what is not named here goes as a document, as Telegram advises.
SENDS: Final[Mapping[str, Method]] = {
    "image/jpeg": PHOTO,
    "image/png": PHOTO,
    "image/webp": PHOTO,
    "image/gif": Method("sendAnimation", "animation"),
    "video/mp4": VIDEO,
    "audio/mpeg": AUDIO,
    "audio/mp4": AUDIO,
    "audio/ogg": Method("sendVoice", "voice"),
    "image": PHOTO,
    "video": VIDEO,
    "audio": AUDIO,
}

MEGABYTE: Final = 1024 * 1024
PHOTO_BYTES: Final = 10 * MEGABYTE  # https://core.telegram.org/bots/api#sendphoto
UPLOAD_BYTES: Final = 50 * MEGABYTE  # https://core.telegram.org/bots/api#sending-files
DOWNLOAD_BYTES: Final = 20 * MEGABYTE  # https://core.telegram.org/bots/api#getfile
# https://core.telegram.org/bots/api#ephemeral-messages-and-commands: how long a bot that is no administrator may answer
EPHEMERAL_WINDOW: Final = timedelta(seconds=15)
CALLBACK_BYTES: Final = 64  # https://core.telegram.org/bots/api#inlinekeyboardbutton

DELETED_FOR: Final = timedelta(hours=48)  # https://core.telegram.org/bots/api#deletemessage

# What is so already: of a message that shows these words, and of one that is gone.
DONE: Final = ("message is not modified", "message to delete not found")
# Telegram says why in English; the first phrase found decides, else the status.
PHRASES: Final[Mapping[str, Code]] = {
    "chat not found": "bad_address",
    "user not found": "bad_address",
    "peer_id_invalid": "bad_address",
    "upgraded to a supergroup": "bad_address",
    "thread not found": "bad_address",
    "too long": "too_long",
    "too_long": "too_long",
    "too big": "too_long",
    "text is empty": "malformed",
    "can't be edited": "expired",
    "can't be deleted": "expired",
    "reaction_invalid": "unsupported",
    "can't parse": "malformed",
    "rights to send": "blocked",
    "chat_write_forbidden": "blocked",
}
STATUSES: Final[Mapping[int, Code]] = {
    400: "refused",
    401: "auth",
    403: "blocked",
    413: "too_long",
    429: "throttled",
}
