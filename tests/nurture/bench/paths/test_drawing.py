"""The map of a track: its boxes, its arrows, and the words on them."""

from __future__ import annotations

from nurture.bench.paths.drawing import Map, dot, map_of, mermaid
from nurture.bench.paths.explore import explore
from nurture.content.catalogue import Catalogue
from nurture.journey.lead import Lead
from nurture.journey.matchers import link_clicked, opted_out
from nurture.journey.outcomes import Outcome, nurtured, rested
from nurture.journey.track import track

EMPTY = Catalogue({})


@track("mapped", exits_on=(opted_out,), graduates_at=75)
async def mapped(lead: Lead) -> Outcome:
    """A welcome; a tip for who clicks and is warm; a month for the others."""
    await lead.send("welcome")
    if await lead.wait(days=7, until=link_clicked("welcome")) and lead.score >= 50:
        await lead.send("tip")
        return nurtured
    await lead.wait(days=30)
    return rested


def drawn(standing: dict[str, int] | None = None) -> Map:
    """The map of the track above."""
    return map_of(mapped, explore(mapped, EMPTY), standing)


def arrows(made: Map) -> dict[tuple[str, str], tuple[str, ...]]:
    """What each arrow says, by the texts of its boxes."""
    return {(made.boxes[one].text, made.boxes[to].text): tuple(label) for (one, to), label in made.arrows.items()}


def test_a_box_is_a_line_and_an_arrow_a_way() -> None:
    """A fork says what the code read; a mail that is refused leads on as one that is sent."""
    found = arrows(drawn())
    assert found["send welcome", "wait 7 days"] == ("", "it is refused")
    assert found["wait 7 days", "send tip"] == ("clicked a link in welcome, score >= 50",)
    assert found["wait 7 days", "wait 30 days"] == ("none of that", "clicked a link in welcome, score < 50")
    assert found["wait 7 days", "offer to sales"] == ("its score is high enough for sales",)
    assert found["wait 30 days", "rested"] == ("",)
    assert ("wait 5 days", "goes on where it stood") in found
    assert {text for pair in found for text in pair} >= {"nurtured", "handed to sales"}


def test_leads_are_counted_in_the_box_where_they_stand() -> None:
    """Also those that came there a second time."""
    boxes = {
        box.text for box in drawn({"send:welcome/wait": 12, "send:welcome/wait~2": 1, "send:tip": 1}).boxes.values()
    }
    assert {"wait 7 days\n13 leads", "send tip\n1 lead"} <= boxes


def test_the_text_of_a_map_says_what_the_picture_shows() -> None:
    """Boxes, arrows, exits and the story, as Mermaid, as DOT, and in words."""
    made = drawn()
    text = mermaid(made)
    assert text.startswith("flowchart TD\n  accTitle: mapped\n")
    assert '-- "clicked a link in welcome, score >= 50" -->' in text
    assert "opted out" in text
    assert text.count("-->") == dot(made).count("->") == len(made.arrows)
    assert "1. send welcome; then 2\n" in made.description
    assert made.description.endswith("leaves the track if it opted out, or marked as spam.")
