"""The command line, one file per group of commands; `ohlora_cli.py` assembles them."""
