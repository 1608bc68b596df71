"""What is said next. Pure: an event comes in, effects go out, and somebody else carries them out."""
