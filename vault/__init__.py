"""Everything at rest. The only room that stores, and the only one that seals; it knows no channel and no console."""
