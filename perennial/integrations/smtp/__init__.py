"""Any SMTP server: mail out."""
