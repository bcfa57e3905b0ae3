"""What each command of the command line does; `fem_rd.cli` reads the words, these do the work."""
