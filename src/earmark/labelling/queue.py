"""Who is given which clip, and what is done with the answer; every function works inside a transaction.

A clip is leased for some time, so that no two annotators have it at once unless overlap is asked for, and one that
is left open returns. It is done once as many annotators as overlap says have answered; one who was unsure does not
count, so that somebody else is asked.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, and_, delete, func, not_, or_, select, update

from earmark.errors import UserError
from earmark.labelling.questions import OPEN_SKIPS, Answer
from earmark.labelling.schema import answers, clips, latest, leases

if TYPE_CHECKING:
    from earmark.labelling.arranging import Arrangement


@dataclass(frozen=True)
class Rules:
    """How clips are given out."""

    overlap: int
    """How many annotators each clip wants."""
    gold_share: float
    """Share of the clips given out that are gold, as long as there are gold clips that one has not answered."""
    lease_seconds: float
    """How long a clip stays with an annotator who does nothing."""
    seed: int
    """Of the draws whether gold is next."""


@dataclass(frozen=True)
class Written:
    """An answer as it was written down."""

    id: int
    clip_id: int
    answer: Answer
    """With its comment."""
    replaces: bool
    """Whether this annotator had answered the clip before; the earlier answer is kept in the history."""
    repeated: bool
    """Whether it had come in already, by its token, so that nothing was written now."""


def lease(connection: Connection, annotator_id: int, n: int, rules: Rules, now: float) -> list[int]:
    """Give an annotator up to `n` clips: those held already first, then the next of the queue."""
    held = _held(connection, annotator_id, rules, now)[:n]
    given = held + _next(connection, annotator_id, n - len(held), held, rules, now)
    for turn, clip_id in enumerate(given):
        _touch(connection, annotator_id, clip_id, rules, now + turn * _TURN_SECONDS)
    return given


def touch(connection: Connection, annotator_id: int, clip_id: int, rules: Rules, now: float) -> None:
    """Let a lease go on that is held and that nobody else was given meanwhile; nothing happens otherwise."""
    if clip_id in _held(connection, annotator_id, rules, now):
        _touch(connection, annotator_id, clip_id, rules, now)


def hand_in(
    connection: Connection,
    place: tuple[int, int],
    answer: Answer,
    token: str,
    now: float,
    settles: bool = False,
) -> Written:
    """Add an answer; one of the same token is the same answer.

    Args:
        connection: of a writing transaction.
        place: clip and annotator.
        answer: as `Question.check` gives it.
        token: made up by whoever answers, anew for each answer.
        now: seconds since 1970.
        settles: whether it settles the clip for everybody.

    Raises:
        UserError: the token was that of an answer to another clip.
    """
    clip_id, annotator_id = place
    earlier = connection.execute(
        select(answers).where(answers.c.annotator_id == annotator_id, answers.c.token == token)
    ).first()
    if earlier is not None:
        if earlier.clip_id != clip_id:
            raise UserError("token", f"{token!r} was that of an answer to clip {earlier.clip_id}")
        return Written(earlier.id, clip_id, as_answer(earlier.answer, earlier.comment), False, True)
    said = {key: value for key, value in answer.items() if key != "comment"}
    row = {
        "clip_id": clip_id,
        "annotator_id": annotator_id,
        "answer": as_text(said),
        "comment": answer.get("comment", ""),
        "token": token,
        "settles": int(settles),
        "written": now,
    }
    written = connection.execute(answers.insert().values(row)).inserted_primary_key
    assert written is not None
    replaces = False if settles else _point_at(connection, annotator_id, clip_id, written[0])
    connection.execute(delete(leases).where(_of(leases, annotator_id, clip_id)))
    if not settles:
        connection.execute(update(clips).where(clips.c.id == clip_id).values(answered=_n_done(clip_id)))
    return Written(written[0], clip_id, answer, replaces, False)


def before(connection: Connection, annotator_id: int, clip_id: int | None) -> tuple[int, Answer, bool] | None:
    """The clip that an annotator answered last, or last before the answer to another one.

    Returns:
        Clip, the answer that counts, and whether that settled it; None: there is none.
    """
    mine = answers.c.annotator_id == annotator_id
    last = func.max(answers.c.id).label("last")
    history = select(last).where(mine).group_by(answers.c.clip_id)
    if clip_id is not None:
        its = connection.scalar(select(func.max(answers.c.id)).where(mine, answers.c.clip_id == clip_id))
        history = history.having(last < its) if its is not None else history
    newest = select(func.max(history.subquery().c.last)).scalar_subquery()
    row = connection.execute(select(answers).where(answers.c.id == newest)).first()
    return None if row is None else (row.clip_id, as_answer(row.answer, row.comment), bool(row.settles))


def rearrange(connection: Connection, begun: list[int], found: Arrangement) -> None:
    """Put clips into a new order, behind those that somebody has answered, which no longer count as drawn at random."""
    for i, clip_id in enumerate(begun):
        connection.execute(update(clips).where(clips.c.id == clip_id).values(place=i, drawn="before"))
    for i, (clip_id, drawn) in enumerate(zip(found.ids, found.drawn, strict=True), len(begun)):
        suggestion = found.suggestions.get(clip_id)
        row = {
            "place": i,
            "drawn": drawn,
            "suggestion": None if suggestion is None else json.dumps(asdict(suggestion)),
        }
        connection.execute(update(clips).where(clips.c.id == clip_id).values(row))


def as_text(answer: Answer) -> str:
    """An answer as the database holds it: equal answers are equal texts."""
    return json.dumps(answer, sort_keys=True)


def as_answer(said: str, comment: str = "") -> Answer:
    """An answer from the text of the database."""
    found: Answer = json.loads(said)
    return {**found, "comment": comment} if comment else found


_TURN_SECONDS = 1e-5  # between the leases of one call, which so keep their order
OPEN = tuple(as_text({"skip": reason}) for reason in OPEN_SKIPS)
"""Answers after which somebody else is asked."""

# -- which clips --------------------------------------------------------------------------------------------


def _held(connection: Connection, annotator_id: int, rules: Rules, now: float) -> list[int]:
    """Clips that an annotator was given and may still answer, gold or not, in the order of the queue."""
    free = or_(clips.c.gold.is_not(None), _has_room(annotator_id, rules, now))
    found = (
        select(clips.c.id)
        .join(leases, leases.c.clip_id == clips.c.id)
        .where(leases.c.annotator_id == annotator_id, free, not_(_answered_by(annotator_id)))
        .order_by(leases.c.given)
    )
    return list(connection.scalars(found))


def _next(
    connection: Connection, annotator_id: int, n: int, held: list[int], rules: Rules, now: float
) -> list[int]:
    """Clips from the queue, gold ones mixed in."""
    if n <= 0:
        return []
    mine = and_(not_(_answered_by(annotator_id)), clips.c.id.not_in(held))
    wanted = clips.c.gold.is_(None) & _has_room(annotator_id, rules, now) & mine
    fresh = list(connection.scalars(select(clips.c.id).where(wanted).order_by(clips.c.place).limit(n)))
    golden = clips.c.gold.is_not(None) & mine
    gold = list(connection.scalars(select(clips.c.id).where(golden).order_by(clips.c.place).limit(n)))
    count = select(func.count()).where(latest.c.annotator_id == annotator_id)
    n_before = (connection.scalar(count) or 0) + len(held)
    given: list[int] = []
    while len(given) < n and fresh:
        draw = random.Random(f"{rules.seed} {annotator_id} {n_before + len(given)}").random()
        given.append(gold.pop(0) if gold and draw < rules.gold_share else fresh.pop(0))
    return given


def _touch(connection: Connection, annotator_id: int, clip_id: int, rules: Rules, now: float) -> None:
    """Let a lease begin, or go on."""
    until = {"expires": now + rules.lease_seconds}
    if not connection.execute(
        update(leases).where(_of(leases, annotator_id, clip_id)).values(until)
    ).rowcount:
        row = {"annotator_id": annotator_id, "clip_id": clip_id, "given": now, **until}
        connection.execute(leases.insert().values(row))


def _has_room(annotator_id: int, rules: Rules, now: float) -> ColumnElement[bool]:
    """Whether a clip wants one more annotator than have answered it or have it now."""
    others = (
        select(func.count())
        .where(leases.c.clip_id == clips.c.id, leases.c.annotator_id != annotator_id, leases.c.expires > now)
        .correlate(clips)
        .scalar_subquery()
    )
    return and_(clips.c.answered < rules.overlap, clips.c.answered + others < rules.overlap)


def _answered_by(annotator_id: int) -> ColumnElement[bool]:
    found = select(latest.c.clip_id).where(
        latest.c.clip_id == clips.c.id, latest.c.annotator_id == annotator_id
    )
    return found.correlate(clips).exists()


# -- what follows from an answer ----------------------------------------------------------------------------


def _point_at(connection: Connection, annotator_id: int, clip_id: int, answer_id: int) -> bool:
    """Let a newer answer count; whether there was an older one."""
    to = {"answer_id": answer_id}
    if connection.execute(update(latest).where(_of(latest, annotator_id, clip_id)).values(to)).rowcount:
        return True
    connection.execute(latest.insert().values(annotator_id=annotator_id, clip_id=clip_id, **to))
    return False


def _n_done(clip_id: int) -> ColumnElement[int]:
    joined = latest.join(answers, answers.c.id == latest.c.answer_id)
    done = latest.c.clip_id == clip_id, answers.c.answer.not_in(OPEN)
    return select(func.count()).select_from(joined).where(*done).scalar_subquery()


def _of(table: object, annotator_id: int, clip_id: int) -> ColumnElement[bool]:
    columns = table.c  # type: ignore[attr-defined]
    found: ColumnElement[bool] = and_(columns.annotator_id == annotator_id, columns.clip_id == clip_id)
    return found
