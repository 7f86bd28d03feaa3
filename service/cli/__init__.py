"""The subcommands of ``stinger`` that run the daemon and show what it does."""
