"""Work out what a batch of imported leads changes, compared with what is stored, then write it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2s
from typing import Any, TypeAlias

from sqlalchemy import insert, or_, select, text, union, update
from sqlalchemy.ext.asyncio import AsyncSession

from models.leads import BehaviourRow, Consent, LeadRow, ScoreEntry, Suppression
from nurture.people.scoring import ScoreLine, ScoringModel
from perennial.leads.behaviours import on_day, write_behaviours
from perennial.leads.consent import LONGEST_SOURCE, NewConsent, write_lines
from perennial.leads.identity import new_lead_id
from perennial.leads.importing.leads_file import ImportedBehaviour, LeadRecord, Reject
from perennial.leads.importing.never_mail import NeverMail
from perennial.leads.lookup import current_leads
from perennial.leads.scores import delete_entries, write_entries
from perennial.leads.suppression import WITHDRAWS, NewSuppression, write_suppressions

_Row: TypeAlias = dict[str, Any]


def behaviour_id(lead_id: str, one: ImportedBehaviour) -> str:
    """An id that is the same in every import of the same behaviour; one without a time of its own happened once."""
    # As days were written when they were taken for midnights in UTC: a file imported before counts once.
    at = one.at.isoformat() if one.at else ""
    at = f"{at}T00:00:00+00:00" if one.at and not isinstance(one.at, datetime) else at
    told = f"{lead_id}\n{one.name}\n{one.subject}\n{at}"
    return f"import-{blake2s(told.encode(), digest_size=16).hexdigest()}"


@dataclass(frozen=True, slots=True)
class _Found:
    """The stored leads that a batch may be about."""

    by_key: dict[str, LeadRow]
    by_external: dict[str, LeadRow]


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is stored about the leads of a batch, by lead id."""

    scores: dict[str, list[tuple[int, ScoreLine]]]
    suppressed: dict[str, frozenset[str]]
    consented: frozenset[str]
    behaviours: frozenset[str]


async def _find_leads(session: AsyncSession, records: list[LeadRecord], *, lock: bool) -> _Found:
    ids = [record.external_id for record in records if record.external_id]
    keys = [record.email_key for record in records]
    # Lock in order of id: two imports then wait for each other and do not deadlock.
    found = union(
        select(LeadRow.id).where(LeadRow.email_key.in_(keys)), select(LeadRow.id).where(LeadRow.external_id.in_(ids))
    )
    wanted = select(LeadRow).where(LeadRow.id.in_(found)).order_by(LeadRow.id)
    leads = (await session.scalars(wanted.with_for_update(key_share=True) if lock else wanted)).all()
    return _Found(
        {lead.email_key: lead for lead in leads},
        {lead.external_id: lead for lead in leads if lead.external_id},
    )


async def _stored(session: AsyncSession, met: list[tuple[LeadRow, LeadRecord]]) -> _Stored:
    ids = [lead.id for lead, _ in met]
    scores: dict[str, list[tuple[int, ScoreLine]]] = {}
    for row in await session.scalars(select(ScoreEntry).where(ScoreEntry.lead_id.in_(ids))):
        entry = ScoreLine(row.rule, int(row.points), row.reason, row.at, row.behaviour_id)
        scores.setdefault(row.lead_id, []).append((row.id, entry))
    suppressed: dict[str, frozenset[str]] = {}
    of_leads = select(Suppression.lead_id, Suppression.reason).where(Suppression.lead_id.in_(ids))
    for lead_id, reason in await session.execute(of_leads):
        suppressed[lead_id] = suppressed.get(lead_id, frozenset()) | {reason}
    consented = await session.scalars(select(Consent.lead_id).where(Consent.lead_id.in_(ids)).distinct())
    told = [behaviour_id(lead.id, one) for lead, record in met for one in record.behaviours]
    known = await session.scalars(select(BehaviourRow.id).where(BehaviourRow.id.in_(told)))
    return _Stored(scores, suppressed, frozenset(consented), frozenset(known))


@dataclass(slots=True)
class EarlierRows:
    """What the earlier batches of this import did, so that a dry run sees it too: lead id -> row, or new key."""

    rows: dict[str, int] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)

    def add(self, changes: "Changes") -> None:
        """Remember what a batch did."""
        self.rows |= changes.rows
        self.moved |= changes.moved


@dataclass(slots=True)
class Changes:
    """What one batch changes, worked out before anything is written."""

    at: datetime
    model: ScoringModel
    earlier: EarlierRows
    rejects: list[Reject] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    added: list[_Row] = field(default_factory=list)
    changed: dict[str, _Row] = field(default_factory=dict)
    stale_scores: list[int] = field(default_factory=list)
    now_suppressed: list[str] = field(default_factory=list)
    strangers: dict[str, str] = field(default_factory=dict)
    """Addresses of nobody we know that rows which are left out forbid to mail, with the reason."""
    behaviours: list[_Row] = field(default_factory=list)
    entries: list[tuple[str, ScoreLine]] = field(default_factory=list)
    suppressions: list[NewSuppression] = field(default_factory=list)
    consents: list[NewConsent] = field(default_factory=list)

    async def work_out(self, session: AsyncSession, batch: list[LeadRecord | Reject], *, lock: bool = False) -> None:
        """Compare the batch with what is stored; `lock` locks the leads it meets until the transaction ends."""
        if session.get_bind().dialect.name == "postgresql":
            # A generic plan compares each row with all 500 keys: 0.5 s a batch instead of 0.1 s.
            await session.execute(text("SET LOCAL plan_cache_mode = force_custom_plan"))
        records = [each for each in batch if isinstance(each, LeadRecord)]
        self.rejects = [each for each in batch if isinstance(each, Reject)]
        found = await _find_leads(session, records, lock=lock)
        met: list[tuple[LeadRow, LeadRecord]] = []
        for record in records:
            lead, wrong = self._lead_of(record, found)
            if wrong:
                self.rejects.append(record.rejected(wrong))
            elif lead is None:
                self._add(record)
            else:
                self.rows[lead.id] = record.row
                if record.email_key != lead.email_key:
                    self.moved[lead.id] = record.email_key
                met.append((lead, record))
        self.rejects.sort(key=lambda reject: reject.row)
        if met:
            stored = await _stored(session, met)
            for lead, record in met:
                self._compare(lead, record, stored)
        if never := [reject.never_mail for reject in self.rejects if reject.never_mail is not None]:
            await self._heed(session, never)

    async def _heed(self, session: AsyncSession, never: list[NeverMail]) -> None:
        """Suppress whom rows that are left out name: leads that are stored, merged ones too, and those just added."""
        keys = [key for each in never for key in each.email_keys]
        ids = [each.external_id for each in never if each.external_id]
        named = select(LeadRow.id, LeadRow.email_key, LeadRow.external_id).where(
            or_(LeadRow.email_key.in_(keys), LeadRow.external_id.in_(ids)), LeadRow.erased_at.is_(None)
        )
        stored = (await session.execute(named)).all()
        going_on = await current_leads(session, [row.id for row in stored])
        known = [(going_on[row.id], row.email_key, row.external_id) for row in stored if row.id in going_on]
        new = [(row["id"], row["email_key"], row["external_id"]) for row in self.added]
        had: dict[str, set[str]] = {lead_id: set() for lead_id, *_ in new}
        for lead_id, reason in await session.execute(
            select(Suppression.lead_id, Suppression.reason).where(Suppression.lead_id.in_(going_on.values()))
        ):
            had.setdefault(lead_id, set()).add(reason)
        for one in self.suppressions:
            had.setdefault(one.lead_id, set()).add(one.reason)
        added = {lead_id for lead_id, *_ in new}
        for each in never:
            meant = [
                lead_id
                for lead_id, key, external_id in (*known, *new)
                if key in each.email_keys or (each.external_id is not None and each.external_id == external_id)
            ]
            ours = {key for lead_id, key, _ in (*known, *new) if lead_id in meant}
            for key in each.email_keys:
                if key not in ours and (not meant or len(each.email_keys) > 1):
                    self.strangers.setdefault(key, each.reasons[0])
            for lead_id in meant:
                fresh = [reason for reason in each.reasons if reason not in had.setdefault(lead_id, set())]
                if not fresh:
                    continue
                had[lead_id] |= set(fresh)
                self.suppressions += [NewSuppression(lead_id, reason, "import", self.at) for reason in fresh]
                if WITHDRAWS & set(fresh):
                    self.consents.append(NewConsent(lead_id, self.at, "withdrawn", "consent", "import: a row left out"))
                if lead_id not in added and lead_id not in self.now_suppressed:
                    self.now_suppressed.append(lead_id)

    async def write(self, session: AsyncSession) -> None:
        """Write changes before additions: a lead whose address changes frees the old one."""
        if self.changed:
            await session.execute(update(LeadRow), list(self.changed.values()))
        await delete_entries(session, self.stale_scores)
        if self.added:
            await session.execute(insert(LeadRow), self.added)
        await write_behaviours(session, self.behaviours)
        await write_entries(session, self.entries)
        await write_suppressions(session, self.suppressions)
        await write_lines(session, self.consents)

    def _lead_of(self, record: LeadRecord, found: _Found) -> tuple[LeadRow | None, str]:
        """The stored lead that a record is about, if there is one, and what is wrong with the record."""
        by_id = found.by_external.get(record.external_id or "")
        by_key = found.by_key.get(record.email_key)
        if by_key and self._key_of(by_key) != record.email_key:
            by_key = None
        lead = by_id or by_key
        if lead is None:
            return None, ""
        before = self.earlier.rows.get(lead.id) or self.rows.get(lead.id)
        if before:
            return None, f"the same lead as row {before}"
        if by_id and by_key and by_id.id != by_key.id:
            return None, "the id is one lead's and the address another's"
        if record.external_id and lead.external_id not in {None, record.external_id}:
            return None, "the address belongs to a lead with another id"
        gone = "this lead was erased, and an import does not bring it back" if lead.erased_at else ""
        if lead.merged_into:
            gone = f"this lead was merged into {lead.merged_into}; import that one"
        return (None if gone else lead), gone

    def _key_of(self, lead: LeadRow) -> str:
        """The lead's address key after the rows so far."""
        return self.moved.get(lead.id) or self.earlier.moved.get(lead.id) or lead.email_key

    def _add(self, record: LeadRecord) -> None:
        lead_id = new_lead_id()
        self.rows[lead_id] = record.row
        entries = self.model.fit_entries(record.traits, self.at)
        entries += self._behaviours(lead_id, record, frozenset(), record.time_zone or record.default_time_zone)
        self.added.append(
            {
                "id": lead_id,
                "email": record.email,
                "email_key": record.email_key,
                "external_id": record.external_id,
                "first_name": record.first_name,
                "last_name": record.last_name,
                "company": record.company,
                "country": record.country,
                "time_zone": record.time_zone or record.default_time_zone,
                "traits": record.traits,
                "segment": record.segment,
                "created_at": self.at,
                **self._scored(entries),
            }
        )
        self._scores(lead_id, entries)
        self._consent(lead_id, record, frozenset(), consents=False)

    def _compare(self, lead: LeadRow, record: LeadRecord, stored: _Stored) -> None:
        given: _Row = {
            "email": record.email,
            "email_key": record.email_key,
            "external_id": record.external_id,
            "first_name": record.first_name,
            "last_name": record.last_name,
            "company": record.company,
            "country": record.country,
            "time_zone": record.time_zone,
            "traits": lead.traits | record.traits,
            "segment": lead.segment | record.segment,
        }
        differs = {name: value for name, value in given.items() if value is not None and value != getattr(lead, name)}
        ledger = stored.scores.get(lead.id, [])
        new = self._behaviours(lead.id, record, stored.behaviours, record.time_zone or lead.time_zone)
        if "traits" in differs:
            new += self._refit(differs["traits"], ledger)
        scored: _Row = {}
        if new or "traits" in differs:
            stale = set(self.stale_scores)
            current = [entry for entry_id, entry in ledger if entry_id not in stale]
            scored = self._scored([*current, *new])
            self._scores(lead.id, new)
        suppressed = stored.suppressed.get(lead.id, frozenset())
        told = self._consent(lead.id, record, suppressed, consents=lead.id in stored.consented)
        if set(record.suppress) - suppressed:
            self.now_suppressed.append(lead.id)
        if differs or new or told:
            now = {name: getattr(lead, name) for name in (*given, "score", "stage", "band")}
            self.changed[lead.id] = {"id": lead.id, **now, **differs, **scored}

    def _refit(self, traits: Mapping[str, str], ledger: list[tuple[int, ScoreLine]]) -> list[ScoreLine]:
        """The fit entries that changed traits add; note as stale those they take away."""
        fits = {entry.rule: entry for entry in self.model.fit_entries(traits, self.at)}
        had = {entry.rule: (entry_id, entry.points) for entry_id, entry in ledger if not entry.behaviour_id}
        for rule, (entry_id, points) in had.items():
            if rule not in fits or fits[rule].points != points:
                self.stale_scores.append(entry_id)
        return [entry for rule, entry in fits.items() if rule not in had or had[rule][1] != entry.points]

    def _behaviours(self, lead_id: str, record: LeadRecord, known: frozenset[str], time_zone: str) -> list[ScoreLine]:
        """Note the behaviours that are not stored yet, and return the score entries they earn."""
        entries: list[ScoreLine] = []
        for one in record.behaviours:
            one_id = behaviour_id(lead_id, one)
            if one_id in known:
                continue
            at, props = self._when(one, time_zone)
            row = {"id": one_id, "lead_id": lead_id, "name": one.name, "subject": one.subject}
            self.behaviours.append(row | {"props": props, "at": at, "received_at": self.at})
            entries += self.model.engagement_entries(one_id, one.name, one.subject, at)
        return entries

    def _when(self, one: ImportedBehaviour, time_zone: str) -> tuple[datetime, dict[str, str]]:
        """When a behaviour happened, at the latest now, and the properties that say so."""
        match one.at:
            case None:
                return self.at - one.before, {}
            case datetime():
                return min(one.at, self.at), {}
            case day:
                return on_day(day, time_zone, self.at)

    def _scores(self, lead_id: str, entries: Iterable[ScoreLine]) -> None:
        self.entries += [(lead_id, entry) for entry in entries]

    def _scored(self, entries: Iterable[ScoreLine]) -> _Row:
        score = self.model.score(entries, self.at)
        return {"score": score.total, "stage": score.stage, "band": score.band}

    def _consent(self, lead_id: str, record: LeadRecord, suppressed: frozenset[str], *, consents: bool) -> bool:
        """Note suppressions and withdrawals, or a grant if nobody has asked the lead yet; whether anything changes."""
        new = [reason for reason in record.suppress if reason not in suppressed]
        self.suppressions += [NewSuppression(lead_id, reason, "import", self.at) for reason in new]
        action = ""
        if WITHDRAWS & set(new):
            action = "withdrawn"
        elif not consents and not (WITHDRAWS & suppressed):
            action = "granted"
        if action:
            source = f"import:{record.source}"[:LONGEST_SOURCE]
            self.consents.append(NewConsent(lead_id, self.at, action, record.basis, source))
        return bool(new or action)
