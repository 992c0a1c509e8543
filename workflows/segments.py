"""The segments of the shipped programme."""

from nurture.segments import days, engaged, in_no_track, page_viewed, segment, stage, trait

finance_evaluators = segment(
    "finance-evaluators",
    trait("industry") == "finance",
    page_viewed("/pricing*").times(at_least=2, within=days(14)),
)
gone_quiet = segment("gone-quiet", stage.is_in("lead", "mql"), ~engaged(within=days(60)), in_no_track())
