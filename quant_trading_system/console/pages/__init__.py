"""The operator's console: pages in the browser, made of what the journal tells, with the same commands as the API."""
