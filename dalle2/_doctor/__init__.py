"""Looks at a set-up (`_checks`) and at source code (`_scan`) before anything is paid for."""
