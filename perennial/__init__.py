"""The machine that runs tracks: one room for each idea."""
