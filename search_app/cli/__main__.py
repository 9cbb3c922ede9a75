"""`python -m search_app.cli` is `concord`."""

from search_app.cli.main import main

main()
