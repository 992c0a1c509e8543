"""The mailbox: a local SendGrid with an inbox.

It takes v3 Mail Send, shows the mail to a person, and calls the Event Webhook.
"""
