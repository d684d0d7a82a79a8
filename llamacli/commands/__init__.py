"""The commands, one small module each: parse, delegate, print."""
