"""The command line: `commands.app` registers the commands, one module a group of them."""
