"""The command line: `perennial.cli.app` registers the commands, one module a group of them."""
