"""The staff console: what people on duty see and do. Knows vault and triage; never a channel, a dialogue or the bot."""
