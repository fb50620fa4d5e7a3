"""Parse, call, print. No other room imports this one."""
