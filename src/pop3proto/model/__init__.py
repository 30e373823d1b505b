"""The vocabulary of POP3: values without state and without input or output."""
