"""Plan a lead's journey: the track's function run over the lead's journal."""
