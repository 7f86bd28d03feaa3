"""The subcommands of ``stinger`` that plot recordings and evaluate models."""
