"""Segments: named, typed predicates over leads. All that a programme's `segments.py` imports comes from here."""

from nurture.segments.behaviour import (
    Did,
    content_downloaded,
    deal_lost,
    demo_requested,
    did,
    engaged,
    event_attended,
    form_submitted,
    link_clicked,
    page_viewed,
    replied,
)
from nurture.segments.entered import segment_entered
from nurture.segments.named import Segment, segment
from nurture.segments.predicates import Predicate
from nurture.segments.standing import band, in_no_track, on_track, score, stage, suppressed
from nurture.segments.traits import trait
from nurture.timing.durations import days, hours

__all__ = [
    "Did",
    "Predicate",
    "Segment",
    "band",
    "content_downloaded",
    "days",
    "deal_lost",
    "demo_requested",
    "did",
    "engaged",
    "event_attended",
    "form_submitted",
    "hours",
    "in_no_track",
    "link_clicked",
    "on_track",
    "page_viewed",
    "replied",
    "score",
    "segment",
    "segment_entered",
    "stage",
    "suppressed",
    "trait",
]
