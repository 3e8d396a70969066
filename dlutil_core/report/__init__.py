"""Pictures and the report, from result files alone."""
