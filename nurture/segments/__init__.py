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
    page_scrolled,
    page_viewed,
    prop,
    replied,
    video_watched,
)
from nurture.segments.entered import segment_entered
from nurture.segments.named import Segment, segment
from nurture.segments.order import in_order, last
from nurture.segments.predicates import Predicate
from nurture.segments.standing import band, fit, in_bucket, in_no_track, on_track, score, stage, subscribed, suppressed
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
    "fit",
    "form_submitted",
    "hours",
    "in_bucket",
    "in_no_track",
    "in_order",
    "last",
    "link_clicked",
    "on_track",
    "page_scrolled",
    "page_viewed",
    "prop",
    "replied",
    "score",
    "segment",
    "segment_entered",
    "stage",
    "subscribed",
    "suppressed",
    "trait",
    "video_watched",
]
