"""What a message means: language, intent, signals of danger. No storage, no identity, no other room."""
