"""Settings for Sphinx, which renders this folder: sphinx-build docs docs/_build."""

project = "ViveSphere Bot Manager"
author = "The ViveSphere team"
extensions = []
exclude_patterns = ["_build"]
html_theme = "alabaster"
