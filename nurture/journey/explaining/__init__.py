"""The explanation of an edited track: the reading of its code that contradicts the lead's journal least.

`tape` says what a reading may make of a place in the code, `costs` what each such contradiction costs, `tape_reader`
obeys a tape, `reading` is a run under one, `search` finds the cheapest one, `the_rest` weighs it against what the code
has elsewhere, `telling` says it in words.
"""
