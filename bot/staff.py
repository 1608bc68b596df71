"""`harborline staff`: who may open cases. Whoever lets others in or out types both of their own factors.

Whether they may is decided in vault/staffing.py; a secret is shown once and kept nowhere.
"""

import sys
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

from sqlalchemy.exc import IntegrityError

from bot.context import Context
from bot.errors import CommandFailed
from bot.terminal import asked, opened_vault, say, secret
from vault.credentials import Credentials, choose, one_time_passphrase, prepare
from vault.errors import BadSheet, CannotOpen, SignInLocked, SignInRefused, VaultError, WeakPassphrase
from vault.members import Member, Role, SignedIn
from vault.recovery import LINES, SHEETS, Sheet, join, line_fits
from vault.sessions import Cookie
from vault.unit import Vault


async def staff(context: Context) -> None:
    """Carry out one action of the table below."""
    act, needs_name = ACTIONS[context.arguments.action]
    if needs_name and not context.arguments.name:
        raise CommandFailed(
            f"Say whom: harborline staff {context.arguments.action} NAME."
            if context.arguments.action != "add"
            else "Say whom to add: harborline staff add NAME.",
            status=2,
        )
    async with opened_vault(context) as vault:
        try:
            await act(vault, context)
        except VaultError as error:
            raise CommandFailed(str(error), status=2 if isinstance(error, WeakPassphrase) else 1) from None


async def _list(vault: Vault, _: Context) -> None:
    async with vault.unit() as unit:
        for member in await unit.members.all():
            say(f"{member.name}\t{member.role}" + ("\tinvited" if member.invited_until else ""))


async def _add(vault: Vault, context: Context) -> None:
    """Somebody who is present: they type a passphrase of their own."""
    name = context.arguments.name
    by = await signed_in(vault, context.arguments.by) if context.arguments.by else None
    async with vault.unit() as unit:
        if by is None and await unit.members.all():
            raise CommandFailed("Only a member can let another one in: add --by NAME.", status=2)
    passphrase = secret(f"New passphrase for {name}: ")
    try:
        async with vault.unit() as unit:
            enrolment = await unit.members.enrol(name, passphrase, Role(context.arguments.role), by=by)
            actor = f"member:{by.member.id}" if by else "system"
            unit.audit.add("member.enrolled", f"member:{enrolment.member.id}", actor=actor)
    except IntegrityError:
        raise CommandFailed("This name is taken: choose another one.") from None
    say(f"{name} is enrolled. Put this into their authenticator now; it is not shown again: {enrolment.totp_seed}")


async def _invite(vault: Vault, context: Context) -> None:
    by, passphrase = await _by(vault, context), one_time_passphrase()
    chosen = choose(passphrase)
    async with vault.unit() as unit:
        await unit.staffing.invite(context.arguments.name, Role(context.arguments.role), chosen, by=by)
    _hand_out(context.arguments.name, passphrase)


async def _reset(vault: Vault, context: Context) -> None:
    by, passphrase = await _by(vault, context), one_time_passphrase()
    chosen = choose(passphrase)
    member = await _member(vault, context.arguments.name)
    async with vault.unit() as unit:
        await unit.staffing.reset(member.id, chosen, by=by)
    _hand_out(member.name, passphrase)


async def _remove(vault: Vault, context: Context) -> None:
    by, member = await _by(vault, context), await _member(vault, context.arguments.name)
    async with vault.unit() as unit:
        await unit.staffing.remove(member.id, by=by)
        await unit.queue_changed()
    say(f"{member.name} is out. New reports are sealed to the team's new key.")
    await _move(vault, by)


async def _rotate(vault: Vault, context: Context) -> None:
    by = await _by(vault, context)
    async with vault.unit() as unit:
        await unit.staffing.rotate(by=by)
    say("New reports are sealed to the team's new key.")
    await _move(vault, by)


async def _regrant(vault: Vault, context: Context) -> None:
    await _move(vault, await _by(vault, context))


async def _move(vault: Vault, by: SignedIn) -> None:
    """Move every case to the new key, a batch a transaction. The keys are opened again: there is a new one."""
    after = None
    while True:
        async with vault.unit() as unit:
            moved = await unit.teams.regrant(by.teams, after=after)
            if moved.finished:
                unit.audit.add("team.regranted", "team", actor=f"member:{by.member.id}")
        after = moved.after
        if after is None:
            break
        say(f"{moved.left} cases still to move.")
    if moved.left:
        raise CommandFailed(
            f"{moved.left} cases did not move: their bytes do not open, and the old key is kept for them. "
            "A backup may have them whole."
        )
    say("Every case is under the team's present key.")


async def _role(vault: Vault, context: Context) -> None:
    by, member = await _by(vault, context), await _member(vault, context.arguments.name)
    async with vault.unit() as unit:
        await unit.staffing.change_role(member.id, Role(context.arguments.role), by=by)
    say(f"{member.name} is a {context.arguments.role} from now on.")


async def _passphrase(vault: Vault, context: Context) -> None:
    """The member types both factors, then the new passphrase twice."""
    name = context.arguments.name
    who, now = await _proved(vault, name)
    new = secret(f"New passphrase for {name}: ")
    if new != secret("The same once more: "):
        raise CommandFailed("The two are not the same: nothing was changed.", status=2)
    chosen = choose(new)
    async with vault.unit() as unit:
        outcome = await unit.account.change_passphrase(who, now, chosen)
        if isinstance(outcome, Cookie):
            await unit.sessions.end_all(who.member.id)
    if not isinstance(outcome, Cookie):
        raise CommandFailed(str(outcome))
    say("The new passphrase is in force. Every session of theirs has ended.")


async def _recovery_print(vault: Vault, context: Context) -> None:
    """Both sheets on standard output, with a form feed between them: a printer makes two pages of it."""
    by = await _by(vault, context)
    async with vault.unit() as unit:
        sheets = await unit.recovery.print(by=by)
    say("\f".join(_printed(number, sheet) for number, sheet in zip(SHEETS, sheets, strict=True)))
    sys.stderr.write("Keep the two sheets in two places. Older ones open nothing any more.\n")


async def _recover(vault: Vault, context: Context) -> None:
    """Both sheets let somebody in as a supervisor when nobody can sign in any more."""
    sheets = [_typed(number) for number in SHEETS]
    try:
        join(sheets)
    except BadSheet as bad:
        what = f"Line {bad.line} of sheet {bad.sheet} is not right" if bad.line else "These two are not one pair"
        raise CommandFailed(f"{what}: look at it again, and type both sheets once more.", status=2) from None
    passphrase = one_time_passphrase()
    chosen = choose(passphrase)
    try:
        async with vault.unit() as unit:
            keys = await unit.recovery.open(sheets)
            await unit.staffing.recover(context.arguments.name, chosen, keys)
    except CannotOpen:
        raise CommandFailed("These sheets are of no use any more: newer ones were printed since.") from None
    _hand_out(context.arguments.name, passphrase)
    say("When you are in, print new sheets, and give the team a new key: harborline staff rotate --by NAME.")


Action = Callable[[Vault, Context], Awaitable[None]]
ACTIONS: Final[Mapping[str, tuple[Action, bool]]] = MappingProxyType(
    {  # what is typed -> what is done, and whether it needs a NAME
        "add": (_add, True),
        "invite": (_invite, True),
        "list": (_list, False),
        "passphrase": (_passphrase, True),
        "reset": (_reset, True),
        "remove": (_remove, True),
        "role": (_role, True),
        "rotate": (_rotate, False),
        "regrant": (_regrant, False),
        "recovery-print": (_recovery_print, False),
        "recover": (_recover, True),
    }
)


# Who is asking ------------------------------------------------------------------------------------------------------

_INVITED: Final = "They have a one-time passphrase: sign in at the console and choose your own first."


async def _by(vault: Vault, context: Context) -> SignedIn:
    if not context.arguments.by:
        raise CommandFailed("Say who does this: add --by NAME.", status=2)
    return await signed_in(vault, context.arguments.by)


async def signed_in(vault: Vault, name: str) -> SignedIn:
    return (await _proved(vault, name))[0]


async def _proved(vault: Vault, name: str) -> tuple[SignedIn, Credentials]:
    """A member who typed both factors; the session ends at once, the keys stay open until the command does."""
    async with vault.unit() as unit:
        salt = await unit.members.salt(name)
    credentials = prepare(name, secret(f"Passphrase of {name}: "), secret(f"Authenticator code of {name}: "), salt)
    async with vault.unit() as unit:
        # Whoever sits here has the database and the key ring: a lock would stop nobody but a member whose name a
        # stranger keeps guessing at the console.
        outcome = await unit.members.sign_in(credentials, counted=True)
        if not isinstance(outcome, SignInRefused | SignInLocked):
            opened = await unit.members.open(outcome[1].value)
            await unit.members.sign_out(outcome[1].value)
    if isinstance(outcome, SignInRefused | SignInLocked):
        raise CommandFailed(str(outcome))
    if opened is None:
        raise CommandFailed(_INVITED)
    return opened, credentials


async def _member(vault: Vault, name: str) -> Member:
    async with vault.unit() as unit:
        people = await unit.members.all()
    found = next((m for m in people if m.name.casefold() == name.strip().casefold()), None)
    if found is None:
        raise CommandFailed("Nobody of this name is a member: see harborline staff list.")
    return found


# Paper --------------------------------------------------------------------------------------------------------------


def _hand_out(name: str, passphrase: str) -> None:
    say(f"One-time passphrase for {name}, valid for three days, not shown again: {passphrase}")
    say("They sign in at the console with it, without a code, and choose their own.")


def _printed(number: int, sheet: Sheet) -> str:
    lines = "\n".join(f"  {n}  {line}" for n, line in enumerate(sheet, start=1))
    return (
        f"HARBORLINE RECOVERY, SHEET {number} OF 2\n\n{lines}\n\n"
        "With both sheets, whoever is at the server can open every case: harborline staff recover NAME.\n"
        "One sheet alone opens nothing. Keep them in two places, with two people.\n"
    )


def _typed(number: int) -> tuple[str, ...]:
    """The lines of one sheet. At a terminal a line that is not right is asked for again."""
    lines: list[str] = []
    while len(lines) < LINES:
        line = asked(f"Sheet {number}, line {len(lines) + 1}: ")
        if sys.stdin.isatty() and not line_fits(line, len(lines) + 1):
            sys.stderr.write("That line is not right: look at it again.\n")
            continue
        lines.append(line)
    return tuple(lines)
