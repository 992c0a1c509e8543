"""The command line: `python starter.py --help`."""

from perennial.cli.app import main

if __name__ == "__main__":
    main()
