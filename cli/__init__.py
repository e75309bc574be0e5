"""What an operator can type; see `cli.main`."""
