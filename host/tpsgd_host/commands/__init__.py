"""The subcommands of ``tpsgd-host``, one per module; each calls a function that scripts can import."""
