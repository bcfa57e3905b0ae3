"""Arithmetic that a case file may contain: text to plain data, evaluated by whoever needs it."""
