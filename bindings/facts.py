"""The facts of the guard, fetched by one prebuilt statement that looks past the fence."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from advanced_alchemy.types import DateTimeUTC
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from bindings.guard import Act, Facts, Party
from tenants.policy import BindingReach, Look, Notice, Policy, StandIns
from tenants.roles import Role

_PARTS = """parties AS (
    SELECT a.id AS a_id, a.user_id AS a_user, a.role AS a_role, a.tenant_id AS a_tenant, a.sponsor_id AS a_sponsor,
           au.name AS a_name, au.second_factor AS a_factor, au.service AS a_service,
           (a.discarded_at IS NULL AND au.discarded_at IS NULL) AS a_live,
           sp.tenant_id AS sp_tenant, (sp.discarded_at IS NULL AND spu.discarded_at IS NULL) AS sp_live,
           e.id AS e_id, e.number AS e_number, e.membership_id AS e_membership,
           (e.discarded_at IS NULL AND ps.discarded_at IS NULL) AS e_live,
           s.id AS s_id, s.user_id AS s_user, s.role AS s_role, su.name AS s_name, s.sponsor_id AS s_sponsor,
           su.service AS s_service,
           (s.discarded_at IS NULL AND su.discarded_at IS NULL) AS s_live,
           ssp.tenant_id AS ssp_tenant, (ssp.discarded_at IS NULL AND sspu.discarded_at IS NULL) AS ssp_live,
           COALESCE(s.tenant_id, e.tenant_id) AS p_tenant
      FROM memberships a
      JOIN users au ON au.id = a.user_id
      LEFT JOIN memberships sp ON sp.id = a.sponsor_id
      LEFT JOIN users spu ON spu.id = sp.user_id
      LEFT JOIN extensions e ON e.id = CAST({extension} AS BIGINT)
      LEFT JOIN phone_systems ps ON ps.id = e.phone_system_id
      LEFT JOIN memberships s ON s.id = COALESCE(CAST({subject} AS BIGINT), e.membership_id)
      LEFT JOIN users su ON su.id = s.user_id
      LEFT JOIN memberships ssp ON ssp.id = s.sponsor_id
      LEFT JOIN users sspu ON sspu.id = ssp.user_id
     WHERE a.id = {actor}
), line (leaf, id, parent_id, gone, stand_ins, look, binding_reach, reason, ticket, second_factor, notice, days,
         minutes) AS (
    SELECT t.id, t.id, t.parent_id, t.discarded_at IS NOT NULL, t.policy_stand_ins, t.policy_look,
           t.policy_binding_reach, t.policy_reason, t.policy_ticket, t.policy_second_factor, t.policy_notice,
           t.policy_binding_days, t.policy_minutes
      FROM tenants t, parties p
     WHERE t.id IN (p.a_tenant, p.p_tenant, p.sp_tenant, p.ssp_tenant)
    UNION ALL
    SELECT l.leaf, t.id, t.parent_id, t.discarded_at IS NOT NULL, t.policy_stand_ins, t.policy_look,
           t.policy_binding_reach, t.policy_reason, t.policy_ticket, t.policy_second_factor, t.policy_notice,
           t.policy_binding_days, t.policy_minutes
      FROM line l JOIN tenants t ON t.id = l.parent_id
), shut AS (
    SELECT DISTINCT l.leaf FROM line l
      LEFT JOIN suspensions x ON x.tenant_id = l.id AND x.lifted_at IS NULL
     WHERE l.gone OR x.scope = 'all' OR (x.scope = 'staff' AND l.leaf = l.id)
), wants AS (
    SELECT MAX(l.stand_ins) AS stand_ins, MAX(l.look) AS look, MAX(l.binding_reach) AS binding_reach,
           MAX(l.reason) AS reason, MAX(l.ticket) AS ticket, MAX(l.second_factor) AS second_factor,
           MAX(l.notice) AS notice, MIN(l.days) AS binding_days, MIN(l.minutes) AS minutes
      FROM parties p JOIN line l ON l.leaf = p.p_tenant
)
"""

ROW_OF_FACTS = """
SELECT p.*, w.*, at.name AS a_place, at.kind AS a_kind, at.path AS a_path,
       pt.name AS p_name, pt.kind AS p_kind, pt.path AS p_path, spt.path AS sp_path, sspt.path AS ssp_path,
       p.a_tenant IN (SELECT leaf FROM shut) AS a_closed,
       p.p_tenant IN (SELECT leaf FROM shut) AS p_closed,
       COALESCE(p.sp_tenant IN (SELECT leaf FROM shut), FALSE) AS sp_closed,
       COALESCE(p.ssp_tenant IN (SELECT leaf FROM shut), FALSE) AS ssp_closed,
       EXISTS (SELECT 1 FROM team_members mine
                 JOIN team_members theirs ON theirs.team_id = mine.team_id AND theirs.left_at IS NULL
                 JOIN teams t ON t.id = mine.team_id AND t.discarded_at IS NULL
                WHERE mine.membership_id = p.a_id AND mine.lead AND mine.left_at IS NULL
                  AND theirs.membership_id = p.s_id) AS leads,
       (SELECT MAX(c.ends_at) FROM consents c
         WHERE c.tenant_id = p.p_tenant AND c.revoked_at IS NULL
           AND (c.membership_id IS NULL OR c.membership_id = p.s_id)
           AND (c.operator_id = p.a_id
                OR (c.operator_id IS NULL AND c.to_tenant_id IN (p.a_tenant, p.sp_tenant)))) AS consented_until,
       (SELECT MAX(g.ends_at) FROM break_glasses g
         WHERE g.subject_membership_id = p.s_id AND g.asked_by_id = p.a_id AND p.a_role = 'admin'
           AND g.approved_at IS NOT NULL AND g.ended_at IS NULL) AS broken_until
  FROM parties p CROSS JOIN wants w
  JOIN tenants at ON at.id = p.a_tenant
  LEFT JOIN tenants pt ON pt.id = p.p_tenant
  LEFT JOIN tenants spt ON spt.id = p.sp_tenant
  LEFT JOIN tenants sspt ON sspt.id = p.ssp_tenant
"""
"""The one row that the named parts amount to; none where there is no such actor."""


def parts_of_facts(actor: str, subject: str, extension: str) -> str:
    """The named parts of the statement (after WITH RECURSIVE), for whoever these SQL expressions name.

    Parameters here; where a login or a token names them, columns of a part before: so the guard rides along.
    """
    return _PARTS.format(actor=actor, subject=subject, extension=extension)


WINDOWS = ("consented_until", "broken_until")
"""The times among the facts: until when a window of consent, and a broken glass, are open."""
_FACTS = sa.text("WITH RECURSIVE " + parts_of_facts(":actor", ":subject", ":extension") + ROW_OF_FACTS).columns(
    **{name: DateTimeUTC(timezone=True) for name in WINDOWS}
)


@dataclass(frozen=True, slots=True)
class Found:
    """The facts, and the extension as it is now: who has it, and whether it is in use."""

    facts: Facts
    extension_id: int | None
    extension_number: str | None
    extension_membership_id: int | None
    extension_live: bool


async def fetch_facts(
    connection: AsyncConnection | AsyncSession,
    act: Act,
    actor_membership_id: int,
    *,
    subject_membership_id: int | None = None,
    extension_id: int | None = None,
    reason: str | None = None,
    ticket: str | None = None,
    mode: str = "full",
    standing_in: bool = False,
    strong: bool = True,
    now: datetime | None = None,
) -> Found | None:
    """What the guard needs to know, in one round trip; None when actor, subject or extension does not exist.

    `now` is a session's own where none is given; without one no window of consent counts. `strong`: the sign-in that
    asks used a second factor. Where none is at hand the person's having one decides: when the first is set up, every
    other sign-in ends.
    """
    row = (
        await connection.execute(
            _FACTS, {"actor": actor_membership_id, "subject": subject_membership_id, "extension": extension_id}
        )
    ).one_or_none()
    if row is None or (subject_membership_id is not None and row.s_id is None):
        return None
    if now is None and isinstance(connection, AsyncSession):
        now = connection.sync_session.info.get("now")
    return found_in(row, act, now, reason=reason, ticket=ticket, mode=mode, standing_in=standing_in, strong=strong)


def found_in(
    row: Any,
    act: Act,
    now: datetime | None,
    *,
    reason: str | None = None,
    ticket: str | None = None,
    mode: str = "full",
    standing_in: bool = False,
    strong: bool = True,
) -> Found | None:
    """A row of facts as the guard reads it; None when actor, subject or extension does not exist."""
    if row.a_id is None or row.p_path is None:
        return None
    facts = Facts(
        act,
        _actor(row),
        _subject(row),
        place_path=row.p_path,
        place_id=row.p_tenant,
        policy=_policy(row),
        standing_in=standing_in,
        leads=bool(row.leads),
        consented=_open(row.consented_until, now),
        broken_glass=_open(row.broken_until, now),
        second_factor=bool(row.a_factor) and strong,
        reason=reason,
        ticket=ticket,
        mode=mode,
    )
    return Found(facts, row.e_id, row.e_number, row.e_membership, bool(row.e_live) and row.e_id is not None)


def _actor(row: Any) -> Party:
    sponsored = row.a_sponsor is not None
    return Party(
        row.a_id,
        row.a_user,
        row.a_name,
        Role(row.a_role),
        row.a_tenant,
        row.a_place,
        row.a_kind,
        row.a_path,
        bool(row.a_live) and (not sponsored or _holds(row.sp_live, row.sp_closed, row.sp_path, row.a_path)),
        bool(row.a_closed),
        sponsored,
        bool(row.a_service),
    )


def _subject(row: Any) -> Party | None:
    if row.s_id is None:
        return None
    sponsored = row.s_sponsor is not None
    return Party(
        row.s_id,
        row.s_user,
        row.s_name,
        Role(row.s_role),
        row.p_tenant,
        row.p_name,
        row.p_kind,
        row.p_path,
        bool(row.s_live) and (not sponsored or _holds(row.ssp_live, row.ssp_closed, row.ssp_path, row.p_path)),
        bool(row.p_closed),
        sponsored,
        bool(row.s_service),
    )


def _holds(live: Any, closed: Any, sponsor_path: str | None, path: str) -> bool:
    """A sponsor holds while it is live, its tenant open, and strictly above."""
    above = sponsor_path is not None and path != sponsor_path and path.startswith(sponsor_path)
    return bool(live) and not closed and above


def _open(until: datetime | None, now: datetime | None) -> bool:
    return until is not None and now is not None and now < until


def _policy(row: Any) -> Policy:
    return Policy(
        StandIns(row.stand_ins),
        Look(row.look),
        BindingReach(row.binding_reach),
        row.reason,
        row.ticket,
        row.second_factor,
        Notice(row.notice),
        row.binding_days,
        row.minutes,
    )
