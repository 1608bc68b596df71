"""What can go wrong at rest. One family; the docstring is the sentence a human reads."""


class VaultError(Exception):
    """Something could not be kept or opened."""

    def __init__(self) -> None:
        super().__init__((self.__doc__ or "").strip())


class CannotOpen(VaultError):
    """This does not open with this key: the key is another one, it was destroyed, or the bytes were changed."""


class NoTeam(VaultError):
    """No team key exists yet, so no report can be sealed: run `harborline staff add` to enrol the first member."""


class NoKeyRing(VaultError):
    """The key ring is missing or incomplete: run `harborline keys init`, or restore the key ring directory."""


class EpochGone(VaultError):
    """The epoch this was sealed in has ended and its secret was destroyed; nothing can open it again."""


class SignInRefused(VaultError):
    """The name, the passphrase or the code is not right."""


class SignInLocked(VaultError):
    """Too many tries: wait a quarter of an hour, or ask another member to let you in again."""


class NotFound(VaultError):
    """There is no such case, member or message."""


class Conflict(VaultError):
    """Somebody else changed this a moment ago: look at it again, then decide."""
