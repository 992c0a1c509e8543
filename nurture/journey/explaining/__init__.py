"""The explanation of an edited track: the reading of its code that contradicts the lead's journal least.

`tape` says what a reading may make of a place in the code, `costs` what each such contradiction costs, `reading` is a
run under a tape, `search` finds the cheapest one, `telling` says it in words.
"""
