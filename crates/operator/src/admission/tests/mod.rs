//! Scenarios of the webhook.

