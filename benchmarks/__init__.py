"""What pop3proto costs, measured beside its peers."""
