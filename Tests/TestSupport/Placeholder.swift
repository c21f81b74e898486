// What the suites share.
