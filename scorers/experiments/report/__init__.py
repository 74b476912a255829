"""The report of an experiment: Markdown and one self-contained page."""
