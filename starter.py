"""The command line: `python starter.py --help`."""

from perennial.cli.app import app

if __name__ == "__main__":
    app(prog_name="starter.py")
