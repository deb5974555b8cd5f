"""Notification of alerts: events, outbox, channels, subscriptions, CAP documents and feeds."""
