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


class RingBehind(VaultError):
    """Another process uses a key that this machine's key ring lacks: copy the key ring folder to this machine, too."""


class SignInRefused(VaultError):
    """The name, the passphrase or the code is not right."""


class SignInLocked(VaultError):
    """Too many tries: wait a quarter of an hour, or ask another member to let you in again."""


class WrongCode(VaultError):
    """The authenticator shows another code: check its clock, or put the seed in again."""


class PasskeyRefused(VaultError):
    """This passkey cannot be used: it was made for another address, too long ago, or it is known already."""


class NotAllowed(VaultError):
    """Only a supervisor may do this, and nobody to themselves: ask another supervisor."""


class LastSupervisor(VaultError):
    """This is the last supervisor: make somebody else one first, or nobody could let anyone in any more."""


class NameTaken(VaultError):
    """This name is taken: choose another one."""


class WeakPassphrase(VaultError):
    """The passphrase is too short: use at least 12 characters, better four or five words."""


class BadSheet(VaultError):
    """A recovery sheet was not read right: look at what was typed, line by line."""

    def __init__(self, *, sheet: int, line: int = 0) -> None:
        super().__init__()
        self.sheet = sheet
        self.line = line  # the first that does not fit; 0: each line fits, but not with the other sheet


class Erased(VaultError):
    """This case was erased; nothing of it is left to open."""


class NotFound(VaultError):
    """There is no such case, member or message."""


class Conflict(VaultError):
    """Somebody else changed this a moment ago: look at it again, then decide."""
