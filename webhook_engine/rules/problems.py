"""The rule that a value breaks, for callers with their own error messages, such as the HTTP API."""

from __future__ import annotations

from enum import Enum

__all__ = ["OptionRule", "Rule"]


class Rule(Enum):
    """A rule, named by what it requires."""

    NAME_EMPTY = "a name has at least one character"
    NAME_LENGTH = "a name is not too long"
    NAME_ALPHABET = "a name is out of a few characters"
    CHANNEL_ALPHABET = "a channel is out of a few characters"
    TAG_FORM = "a tag is short and out of a few characters"
    LIKE_AN_ID = "a uid does not look like an id"
    CHANNEL_COUNT = "there are few channels"
    TAG_COUNT = "there are few tags"
    CONTROL_CHARACTERS = "a text can be stored and shown"
    METADATA_SIZE = "metadata is small"
    ITERATOR = "an iterator is that of a page of its list"
    PAYLOAD_RETENTION = "a payload is kept for a while, and not for ever"


class OptionRule(Enum):
    """A rule for an endpoint's options, named by what it requires."""

    FILTER_OBJECT = "a condition is an object"
    FILTER_SIZE = "a filter is small"
    FILTER_EMPTY = "a condition says something"
    FILTER_OPERATOR = "an operator is one that there is"
    FILTER_ORDERED = "only numbers and strings come before one another"
    FILTER_STRING = "a string begins and ends with a string"
    FILTER_LIST = "what a value is looked for in is a list or a string"
    FILTER_BOOLEAN = "something exists or does not"
    FILTER_FILTERS = "alternatives are a list of filters"
    FILTER_NESTED = "there is no list in a list"
    KEPT_ELSEWHERE = "a mask stands for a secret only where that was used before"
    ONE_PROOF = "one thing alone says who asks"
