"""The mailbox: a local SendGrid.

It takes v3 Mail Send, shows the mail to a person, and calls the Event Webhook back.
"""  # noqa: A005 - nothing here or below reads mail folders, which is what the standard library's module is for
