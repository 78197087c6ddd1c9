"""The subcommands of ``tpsgd-host``, one a module, each over a function that can be imported."""
