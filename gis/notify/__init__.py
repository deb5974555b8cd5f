"""Telling the steps of alerts: outbox, webhooks, mail, event stream, CAP documents and feeds."""
