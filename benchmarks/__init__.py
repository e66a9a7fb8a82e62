"""What ``make bench`` measures; nothing here gates the tests."""
