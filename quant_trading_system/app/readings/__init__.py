"""Read models: what command line, control API and console show, from the journal and the files beside it."""
