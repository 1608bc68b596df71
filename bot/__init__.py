"""The shell: wires the rooms together and acts. The only room that knows all others; nobody imports it."""
