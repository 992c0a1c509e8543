"""The steps of a journey that touch the world, one activity a file."""
