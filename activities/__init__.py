"""What touches the world, one file an activity: decide, send, hand_off, alert, enrol; `own` for engineers."""
