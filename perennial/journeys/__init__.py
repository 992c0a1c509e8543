"""A lead on a track, in the database and in Temporal: enrolment, read model, touches, story."""
