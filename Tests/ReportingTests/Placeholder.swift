// Suites of this module go here.
