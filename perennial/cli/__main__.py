"""`python -m perennial.cli`: the command line, as `starter.py` and the installed `perennial` run it."""

from perennial.cli.app import main

if __name__ == "__main__":
    main()
